import { Variable } from '../base/observable';
import type { Address } from './host';

const PAUSE = 250; // ms; browsers refuse more than a few changes a second

/** The address of the page; what is dragged is written once it rests. */
export function pageAddress(): Address & { close(): void } {
  const current = new Variable(location.search.slice(1));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const url = () => `${location.pathname}${current.get() && `?${current.get()}`}${location.hash}`;
  const flush = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    history.replaceState(history.state, '', url());
  };
  const onBack = () => {
    clearTimeout(timer);
    timer = undefined;
    current.set(location.search.slice(1));
  };
  window.addEventListener('popstate', onBack);
  return {
    get: current.get,
    subscribe: current.subscribe,
    write(search, replace) {
      if (!replace) flush();
      current.set(search);
      if (replace) timer ??= setTimeout(flush, PAUSE);
      else history.pushState(null, '', url());
    },
    close() {
      clearTimeout(timer);
      window.removeEventListener('popstate', onBack);
    },
  };
}
