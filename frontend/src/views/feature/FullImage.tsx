import { Modal } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { AttributionMap, ImageInput } from '../../api/schema';
import { type Cell, type Cells, middleOf } from '../../render/cells';
import { usePicture } from '../../state/explanation';
import type { Meant } from '../common/meant';
import { ViewChoice } from '../common/ViewChoice';
import styles from './FullImage.module.css';
import { Layers, Picture } from './Layers';
import { Legend } from './Legend';
import { Stage } from './Stage';
import type { ImageLook } from './useImage';
import { ZoomButtons } from './ZoomButtons';

interface FullImageProps {
  look: ImageLook;
  map: AttributionMap;
  target: Meant | undefined;
}

/** An image as large as the screen: the original beside its map, under one cursor. */
export default function FullImage({ look, map, target }: FullImageProps) {
  const { input, cells, zoom, point, handlers, reading, view, setFull } = look;
  const color = useColorAt(input, point, cells);
  const layer = view === 'original' ? 'map' : view;
  const shared = {
    cells,
    ratio: input.width / input.height,
    zoom,
    point,
    mark: 'cross',
    eager: true,
    ...handlers,
  } as const;
  return (
    <Modal
      opened
      fullScreen
      onClose={() => setFull(false)}
      title={target ? `${input.name}: what speaks for ${sidesOf(target)}` : input.name}
      closeButtonProps={{ 'aria-label': 'Close full screen' }}
      transitionProps={{ duration: 0 }}
      classNames={{ content: styles.content, header: styles.header, title: styles.title, body: styles.body }}
    >
      <div className={styles.pair}>
        <figure className={styles.side}>
          <Stage label={`${input.name}, original: arrow keys move, plus and minus zoom`} {...shared}>
            <Picture input={input} />
          </Stage>
        </figure>
        <figure className={styles.side}>
          <Stage
            label={`Values of ${input.name}: arrow keys move, plus and minus zoom`}
            {...shared}
            data-autofocus
          >
            <Layers input={input} map={map} layer={layer} />
          </Stage>
        </figure>
      </div>
      <div className={styles.read}>
        <span aria-live="polite">
          {reading ? (
            <>
              {reading.place}: attribution <b>{reading.value}</b>
              {color && (
                <>
                  , original <i style={{ background: `rgb(${color.join(' ')})` }} /> <b>{inWords(color)}</b>
                </>
              )}
            </>
          ) : (
            'Point, or use the arrow keys: both pictures are read at the same place.'
          )}
        </span>
        <ZoomButtons zoom={zoom} />
      </div>
      <div className={styles.below}>
        <div>
          <ViewChoice view={view} />
        </div>
        <Legend map={map} layer={layer} target={target} />
      </div>
    </Modal>
  );
}

/** "and against ‘cat’", "‘cat’ and for ‘dog’". */
function sidesOf({ name, against }: Meant): string {
  return against === null ? `and against ‘${name}’` : `‘${name}’ and for ‘${against}’`;
}

type Color = readonly [red: number, green: number, blue: number];

/** The original's colour at a pixel of the map, 0 to 255; undefined where it cannot be read, and of a patch, which has many. */
function useColorAt(input: ImageInput, point: Cell | null, cells: Cells | undefined): Color | undefined {
  const pixels = usePixels(input);
  if (!pixels || !point || cells?.side !== 1) return undefined;
  const { x, y } = middleOf(point, cells);
  const start = 4 * (Math.floor(y * pixels.height) * pixels.width + Math.floor(x * pixels.width));
  const [red = 0, green = 0, blue = 0] = pixels.data.subarray(start, start + 3);
  return [red, green, blue];
}

function usePixels({ url }: ImageInput): ImageData | undefined {
  const { source } = usePicture(url);
  const [pixels, setPixels] = useState<ImageData>();
  useEffect(() => {
    if (source === undefined) return;
    const image = new Image();
    image.onload = () => setPixels(pixelsOf(image));
    image.src = source;
    return () => {
      image.onload = null;
    };
  }, [source]);
  return pixels;
}

function pixelsOf(image: HTMLImageElement): ImageData | undefined {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context?.drawImage(image, 0, 0);
  return context?.getImageData(0, 0, canvas.width, canvas.height);
}

/** "grey 128", "red 12, green 40, blue 255". */
function inWords([red, green, blue]: Color): string {
  if (red === green && green === blue) return `grey ${red}`;
  return `red ${red}, green ${green}, blue ${blue}`;
}
