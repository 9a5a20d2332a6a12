import type { ImageAttribution, ImageInput } from '../../api/schema';
import { useDisplay } from '../../state/display';
import { ImageDetail } from './ImageDetail';
import styles from './ImageView.module.css';
import { chosenMap, Frame, Layers, Picture } from './Layers';

interface ImageViewProps {
  input: ImageInput;
  attribution: ImageAttribution | undefined;
  size: 'card' | 'panel';
}

/** An image with its attribution: side by side on a card, one large picture in the panel. */
export function ImageView({ input, attribution, size }: ImageViewProps) {
  const { view, channels } = useDisplay().display;
  if (size === 'panel') return <ImageDetail input={input} attribution={attribution} />;
  const map = chosenMap(attribution, channels);
  return (
    <div className={styles.pair}>
      <Frame input={input}>
        <Picture input={input} />
      </Frame>
      <Frame input={input}>
        {map && <Layers input={input} map={map} layer={view === 'original' ? 'map' : view} />}
      </Frame>
    </div>
  );
}
