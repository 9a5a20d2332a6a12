import type { ImageAttribution, ImageInput } from '../../api/schema';
import { useDisplay, useView } from '../../state/display';
import type { Meant } from '../common/meant';
import { ImageDetail } from './ImageDetail';
import styles from './ImageView.module.css';
import { chosenMap, Frame, Layers, Picture } from './Layers';
import type { Size } from './size';

interface ImageViewProps {
  input: ImageInput;
  attribution: ImageAttribution | undefined;
  size: Size;
  target?: Meant | undefined;
  place?: number;
}

/** An image with its attribution: side by side on a card, one large picture in the panel, the map alone on a tile. */
export function ImageView({ input, attribution, size, target, place = 0 }: ImageViewProps) {
  const { channels } = useDisplay().display;
  const map = chosenMap(attribution, channels);
  const view = useView(map?.unit === 'layer');
  if (size === 'panel')
    return <ImageDetail input={input} attribution={attribution} target={target} place={place} />;
  const drawn = (
    <Frame input={input}>
      {map && <Layers input={input} map={map} layer={view === 'original' ? 'map' : view} />}
    </Frame>
  );
  if (size === 'tile') return drawn;
  return (
    <div className={styles.pair}>
      <Frame input={input}>
        <Picture input={input} />
      </Frame>
      {drawn}
    </div>
  );
}
