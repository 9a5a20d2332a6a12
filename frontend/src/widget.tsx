import './widget.css';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { type Channel, NotebookTransport } from './api/notebook';
import { hostScheme } from './base/scheme';
import { hidePicture, place } from './base/shadow';
import type { Host } from './state/host';
import { traitAddress } from './state/traitAddress';

declare const __STYLES__: string; // all of the styles, put here by the build

const ROOT = 'attribution-insights';
const QUIET = 1000; // ms after which what is seen is worth a picture
const PATIENCE = 3000; // ms until a kernel is not expected any more
const FAREWELL = 300; // ms for the last messages: that nobody waits for unfinished work

/** Puts the dashboard below a notebook's cell once a kernel answers; anywidget calls this. */
function render({ model, el }: { model: Channel; el: HTMLElement }): () => void {
  const { shadowHost, root } = place(el, ROOT, __STYLES__);
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
  transport.tell({ type: 'ping' });
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
  const picture = hidePicture(`--${ROOT}-${model.get('snapshot')}`);
  let quiet: ReturnType<typeof setTimeout> | undefined;
  const host: Host = {
    address,
    embedded: true,
    scheme: hostScheme(el),
    rootElement: () => root,
    variablesSelector: `.${ROOT}`,
    keys: () => root,
    report(selection, finished) {
      model.set('selected', selection);
      model.save_changes();
      clearTimeout(quiet);
      if (finished) quiet = setTimeout(() => transport.tell({ type: 'seen' }), QUIET);
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

export default { render };
