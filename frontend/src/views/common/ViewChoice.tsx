import { useDisplay } from '../../state/display';
import type { View } from '../../state/location';
import { Choice } from './Choice';

/** What a large picture shows. */
export function ViewChoice({ view }: { view: View }) {
  const { change } = useDisplay();
  return (
    <Choice
      label="View"
      value={view}
      options={{ map: 'Map', overlay: 'Overlay', masked: 'Masked', original: 'Original' }}
      onChange={(view) => change({ view })}
    />
  );
}
