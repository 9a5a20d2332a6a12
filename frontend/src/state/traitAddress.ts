import type { Channel } from '../api/notebook';
import { Variable } from '../base/observable';
import type { Address } from './host';

/** The view as a trait: it follows the person, and the person's code. */
export function traitAddress(model: Channel): Address & { close(): void } {
  const read = () => String(model.get('view')).replace(/^\?/, '');
  const current = new Variable(read());
  const follow = () => current.set(read());
  model.on('change:view', follow);
  return {
    get: current.get,
    subscribe: current.subscribe,
    write(search) {
      current.set(search);
      model.set('view', search);
      model.save_changes();
    },
    close: () => model.off('change:view', follow),
  };
}
