import { useDisplay } from '../../state/display';
import { Choice } from './Choice';

/** What a large picture shows. */
export function ViewChoice() {
  const { display, change } = useDisplay();
  return (
    <Choice
      label="View"
      value={display.view}
      options={{ map: 'Map', overlay: 'Overlay', masked: 'Masked', original: 'Original' }}
      onChange={(view) => change({ view })}
    />
  );
}
