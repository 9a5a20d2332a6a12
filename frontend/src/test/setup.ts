import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterEach, beforeEach } from 'vitest';

// What jsdom lacks: a layout, media queries and a canvas.
const WIDTH = 1400;
const HEIGHT = 900;

class FixedResizeObserver implements ResizeObserver {
  constructor(private readonly callback: ResizeObserverCallback) {}
  observe(target: Element) {
    const contentRect = new DOMRect(0, 0, WIDTH, HEIGHT);
    const box = [{ inlineSize: WIDTH, blockSize: HEIGHT }];
    const entry = {
      target,
      contentRect,
      borderBoxSize: box,
      contentBoxSize: box,
      devicePixelContentBoxSize: box,
    };
    queueMicrotask(() => this.callback([entry], this));
  }
  unobserve() {}
  disconnect() {}
}

for (const place of [globalThis, document.defaultView]) {
  if (place) place.ResizeObserver = FixedResizeObserver;
}
window.matchMedia = (media) =>
  ({ matches: false, media, addEventListener() {}, removeEventListener() {} }) as unknown as MediaQueryList;
const box = (size: number) => ({ configurable: true, get: () => size });
Object.defineProperties(HTMLElement.prototype, {
  clientWidth: box(WIDTH),
  clientHeight: box(HEIGHT),
  offsetWidth: box(WIDTH),
  offsetHeight: box(HEIGHT / 3),
});
Element.prototype.getBoundingClientRect = () => new DOMRect(10, 10, 200, 100);
Element.prototype.scrollTo = () => Promise.resolve(); // as in newer browsers
Element.prototype.scrollIntoView = () => undefined;
HTMLCanvasElement.prototype.getContext = () => null;

configure({ asyncUtilTimeout: 15_000 }); // machines that are busy

beforeEach(() => history.replaceState(null, '', '/'));
afterEach(cleanup);
