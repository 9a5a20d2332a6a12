import './widget.css';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { type Channel, NotebookTransport } from './api/notebook';
import type { Address } from './state/address';
import type { Host } from './state/host';
import { Variable } from './state/observable';
import type { Seen } from './state/report';
import { hostScheme } from './state/scheme';

declare const __STYLES__: string; // all of the styles, put here by the build

const ROOT = 'attribution-insights';
const QUIET = 1000; // ms after which what is seen is worth a picture
const PATIENCE = 3000; // ms until a kernel is not expected any more
const FAREWELL = 300; // ms for the last messages: that nobody waits for unfinished work

/** Puts the dashboard below a notebook's cell once a kernel answers; anywidget calls this. */
function render({ model, el }: { model: Channel; el: HTMLElement }): () => void {
  const { shadowHost, root } = place(el);
  const transport = new NotebookTransport(model);
  let close = waiting(root);
  let closed = false;
  transport.awake.then(() => {
    if (closed) return;
    close();
    shadowHost.dataset.live = '';
    shadowHost.style.height = `${model.get('height')}px`;
    close = live(model, transport, el, root);
  });
  transport.tell('ping');
  return () => {
    closed = true;
    close();
    shadowHost.remove();
    setTimeout(() => transport.close(), FAREWELL);
  };
}

/** A line in place of the dashboard, as in a notebook that is only read. */
function waiting(root: HTMLElement): () => void {
  const line = document.createElement('p');
  line.textContent = 'Connecting to the kernel…';
  root.append(line);
  const timer = setTimeout(() => {
    line.textContent =
      'No answer from the kernel yet: it is busy with a cell, or gone. If it is gone, run the cell again.';
  }, PATIENCE);
  return () => {
    clearTimeout(timer);
    line.remove();
  };
}

/** The dashboard itself; what it returns takes it away. */
function live(model: Channel, transport: NotebookTransport, el: HTMLElement, root: HTMLElement): () => void {
  const address = traitAddress(model);
  const picture = hidePicture(String(model.get('snapshot')));
  let quiet: ReturnType<typeof setTimeout> | undefined;
  const host: Host = {
    address,
    embedded: true,
    scheme: hostScheme(el),
    rootElement: () => root,
    variablesSelector: `.${ROOT}`,
    keys: () => root,
    report(seen: Seen, finished: boolean) {
      model.set('selected', seen);
      model.save_changes();
      clearTimeout(quiet);
      if (finished) quiet = setTimeout(() => transport.tell('seen'), QUIET);
    },
  };
  const react = createRoot(root);
  react.render(<App transport={transport} host={host} />);
  return () => {
    clearTimeout(quiet);
    react.unmount();
    address.close();
    picture.show();
  };
}

/** A shadow root, out of reach of the notebook's styles, whose keys are not the notebook's shortcuts. */
function place(el: HTMLElement) {
  const shadowHost = document.createElement('div');
  const rootSize = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  shadowHost.style.setProperty('--mantine-scale', String(16 / rootSize));
  shadowHost.dataset.lmSuppressShortcuts = 'true'; // Jupyter's
  for (const type of ['keydown', 'keypress', 'keyup']) {
    shadowHost.addEventListener(type, (event) => event.stopPropagation());
  }
  const styles = document.createElement('style');
  styles.textContent = __STYLES__;
  const root = document.createElement('div');
  root.className = ROOT;
  shadowHost.attachShadow({ mode: 'open' }).append(styles, root);
  el.append(shadowHost);
  return { shadowHost, root };
}

/** The view as a trait: it follows the person, and the person's code. */
function traitAddress(model: Channel): Address & { close(): void } {
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

/** The saved picture reads this variable, also from inside another shadow root. */
function hidePicture(id: string) {
  const { style } = document.documentElement;
  const name = `--${ROOT}-${id}`;
  style.setProperty(name, 'none');
  return { show: () => style.removeProperty(name) };
}

export default { render };
