import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import {
  MIDDLE,
  type Place,
  panned,
  placeIn,
  revealing,
  type Viewport,
  WHOLE,
  zoomed,
} from '../../render/viewport';

const STEP = 1.5; // a press of a button or key
const DOUBLE = 2.5; // a double click
const WHEEL = 0.002; // a factor of e in 500 px

/** A part of a picture, which several frames may share. */
export interface Zoom {
  view: Viewport;
  zoom: (factor: number, at?: Place) => void;
  closer: () => void;
  farther: () => void;
  pan: (by: Place) => void;
  reveal: (place: Place) => void;
  reset: () => void;
}

/** The part of a picture that is shown, at most `most` times enlarged. */
export function useZoom(most: number): Zoom {
  const [view, setView] = useState(WHOLE);
  const changes = useMemo(() => {
    const zoom = (factor: number, at = MIDDLE) => setView((now) => zoomed(now, factor, at, most));
    return {
      zoom,
      closer: () => zoom(STEP),
      farther: () => zoom(1 / STEP),
      pan: (by: Place) => setView((now) => panned(now, by)),
      reveal: (place: Place) => setView((now) => revealing(now, place)),
      reset: () => setView(WHOLE),
    };
  }, [most]);
  return { view, ...changes };
}

/**
 * Zooms by wheel, pinch and double click, and pans by dragging. A wheel over a frame that is neither in use nor
 * enlarged scrolls the page, as it does over any picture, unless `eager`.
 */
export function useGestures(frame: RefObject<HTMLElement | null>, zoom: Zoom, eager: boolean): void {
  const now = useRef(zoom);
  now.current = zoom;
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const down = new Map<number, Place>();
    const at = ({ clientX, clientY }: MouseEvent): Place => {
      const box = element.getBoundingClientRect();
      return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    };
    const listeners = {
      wheel(event: WheelEvent) {
        const { view } = now.current;
        const inUse = eager || event.ctrlKey || view.scale > 1 || element.matches(':focus');
        if (!inUse || (view.scale === 1 && event.deltaY > 0)) return;
        event.preventDefault();
        now.current.zoom(Math.exp(-event.deltaY * WHEEL * (event.ctrlKey ? 5 : 1)), at(event));
      },
      dblclick(event: MouseEvent) {
        event.preventDefault();
        now.current.zoom(event.shiftKey ? 1 / DOUBLE : DOUBLE, at(event));
      },
      pointerdown(event: PointerEvent) {
        if (event.button === 0) down.set(event.pointerId, at(event));
      },
      pointermove(event: PointerEvent) {
        const before = down.get(event.pointerId);
        if (!before) return;
        const here = at(event);
        const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
        down.set(event.pointerId, here);
        if (other) now.current.zoom(apart(here, other) / (apart(before, other) || 1), between(here, other));
        else if (now.current.view.scale > 1) {
          element.setPointerCapture(event.pointerId);
          now.current.pan({ x: here.x - before.x, y: here.y - before.y });
        }
      },
      pointerup: (event: PointerEvent) => void down.delete(event.pointerId),
      pointercancel: (event: PointerEvent) => void down.delete(event.pointerId),
      pointerleave: (event: PointerEvent) => void down.delete(event.pointerId),
    };
    const all = Object.entries(listeners) as [string, EventListener][];
    for (const [type, listener] of all) element.addEventListener(type, listener, { passive: false });
    return () => {
      for (const [type, listener] of all) element.removeEventListener(type, listener);
    };
  }, [frame, eager]);
}

function apart(a: Place, b: Place): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function between(a: Place, b: Place): Place {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** The place of a picture under a pointer. */
export function placeUnder(event: { clientX: number; clientY: number }, box: DOMRect, view: Viewport): Place {
  return placeIn(view, {
    x: (event.clientX - box.left) / box.width,
    y: (event.clientY - box.top) / box.height,
  });
}
