import type { LayerAttribution } from '../../api/schema';
import { count, fixed, signed } from '../../base/format';
import { DivergingBars } from '../feature/DivergingBars';
import { MapCanvas } from '../feature/MapCanvas';
import styles from './Channels.module.css';

/** The strongest channels of a layer, each over the layer's own grid, on one scale; bars where they have no places. */
export function Channels({ layer: { name, channels, strongest } }: { layer: LayerAttribution }) {
  if (strongest.length === 0) return null;
  const drawn = strongest.flatMap(({ index, total, map }) => (map ? [{ index, total, map }] : []));
  const bound = Math.max(...drawn.map(({ map }) => Math.max(-map.minimum, map.maximum)), 0);
  const title = `${count(strongest.length)} strongest of ${count(channels)} channels of ${name}`;
  return (
    <section className={styles.channels} aria-label={`Channels of ${name}`}>
      <h3>
        {title}
        {bound > 0 && <span> · full colour at ±{fixed(bound)}</span>}
      </h3>
      {drawn.length === strongest.length ? (
        <ul>
          {drawn.map(({ index, total, map }) => (
            <li key={index}>
              <div className={styles.frame} style={{ aspectRatio: map.width / map.height }}>
                <MapCanvas map={map} layer="map" label={`Channel ${index} of ${name}`} bound={bound} />
              </div>
              <span>
                {index} <b>{signed(total)}</b>
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <DivergingBars
          label={`Channels of ${name}`}
          bars={strongest.map(({ index, total }) => ({ id: index, name: `${index}`, weight: total }))}
          bound={Math.max(...strongest.map(({ total }) => Math.abs(total ?? 0)))}
        />
      )}
    </section>
  );
}
