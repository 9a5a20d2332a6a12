import type { ReactNode } from 'react';
import type { AttributionMap, ImageAttribution, ImageInput } from '../../api/schema';
import type { Layer } from '../../render/paint';
import { usePicture } from '../../state/explanation';
import styles from './ImageView.module.css';
import { isTiny, MapCanvas } from './MapCanvas';

/** The map of the chosen channel reduction; the signed sum where there is no such map. */
export function chosenMap(
  attribution: ImageAttribution | undefined,
  channels: string,
): AttributionMap | undefined {
  return attribution?.maps.find((map) => map.reduction === channels) ?? attribution?.maps[0];
}

/** A map alone, or over its image. */
export function Layers({ input, map, layer }: { input: ImageInput; map: AttributionMap; layer: Layer }) {
  return (
    <>
      {layer !== 'map' && <Picture input={input} />}
      <MapCanvas map={map} layer={layer} label={`Attribution of ${input.name}`} />
    </>
  );
}

/** The original, enlarged crisply where it is tiny. */
export function Picture({ input }: { input: ImageInput }) {
  const { source, missing, onError } = usePicture(input.url);
  if (missing)
    return <div className={`${styles.layer} ${styles.missing}`}>{input.name} could not be loaded</div>;
  if (source === undefined) return <div className={styles.layer} />;
  return (
    <img
      src={source}
      onError={onError}
      alt={`${input.name}, original`}
      className={styles.layer}
      data-crisp={isTiny(input) || undefined}
      draggable={false}
    />
  );
}

/** A box of the image's proportions. */
export function Frame({ input, children }: { input: ImageInput; children: ReactNode }) {
  const ratio = Math.min(2, Math.max(0.6, input.width / input.height));
  return (
    <div className={styles.frame} style={{ aspectRatio: ratio }}>
      {children}
    </div>
  );
}
