/** Which part of a picture a frame shows: `scale` times enlarged, from the shares `left` and `top` of it on. */
export interface Viewport {
  scale: number;
  left: number;
  top: number;
}

/** A place as shares of a width and a height. */
export interface Place {
  x: number;
  y: number;
}

export const WHOLE: Viewport = { scale: 1, left: 0, top: 0 };
export const MIDDLE: Place = { x: 0.5, y: 0.5 };

/** Enlarged by `factor`, up to `most`; what lies at place `at` of the frame stays there. */
export function zoomed(view: Viewport, factor: number, at: Place, most: number): Viewport {
  const scale = Math.min(most, Math.max(1, view.scale * factor));
  const { x, y } = placeIn(view, at);
  return inside({ scale, left: x - at.x / scale, top: y - at.y / scale });
}

/** Moved by shares of the frame, as a hand moves a sheet of paper. */
export function panned({ scale, left, top }: Viewport, { x, y }: Place): Viewport {
  return inside({ scale, left: left - x / scale, top: top - y / scale });
}

/** Moved as little as shows a place of the picture. */
export function revealing({ scale, left, top }: Viewport, { x, y }: Place): Viewport {
  const seen = 1 / scale;
  const near = (start: number, place: number) => Math.min(place, Math.max(start, place - seen));
  return inside({ scale, left: near(left, x), top: near(top, y) });
}

/** The place of the picture that is at a place of the frame. */
export function placeIn({ scale, left, top }: Viewport, { x, y }: Place): Place {
  return { x: left + x / scale, y: top + y / scale };
}

/** The place of the frame at which a place of the picture is, outside of 0…1 where it is not seen. */
export function placeOf({ scale, left, top }: Viewport, { x, y }: Place): Place {
  return { x: (x - left) * scale, y: (y - top) * scale };
}

/** The style that draws it, about the top left corner. */
export function transformOf({ scale, left, top }: Viewport): string {
  return `scale(${scale}) translate(${-100 * left}%, ${-100 * top}%)`;
}

/** Without a margin beside the picture. */
function inside({ scale, left, top }: Viewport): Viewport {
  const last = 1 - 1 / scale;
  const within = (start: number) => Math.min(last, Math.max(0, start));
  return { scale, left: within(left), top: within(top) };
}
