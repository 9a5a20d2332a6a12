import { describe, expect, it } from 'vitest';
import { MIDDLE, panned, placeIn, placeOf, revealing, transformOf, WHOLE, zoomed } from './viewport';

const MOST = 16;

describe('a viewport', () => {
  it('keeps what is under the pointer where it is', () => {
    const at = { x: 0.2, y: 0.7 };
    const view = zoomed(zoomed(WHOLE, 2, MIDDLE, MOST), 3, at, MOST);
    expect(view.scale).toBe(6);
    expect(placeIn(view, at)).toEqual(placeIn(zoomed(WHOLE, 2, MIDDLE, MOST), at));
  });

  it('shows the whole at least, and not more than is allowed', () => {
    expect(zoomed(zoomed(WHOLE, 2, { x: 1, y: 1 }, MOST), 0.1, { x: 0, y: 0 }, MOST)).toEqual(WHOLE);
    expect(zoomed(WHOLE, 1000, MIDDLE, MOST).scale).toBe(MOST);
  });

  it('follows the hand, but not beyond the edge', () => {
    const view = zoomed(WHOLE, 4, MIDDLE, MOST);
    const moved = panned(view, { x: 0.5, y: 0 });
    expect(moved.left).toBeCloseTo(view.left - 0.125);
    expect(panned(view, { x: 99, y: -99 })).toEqual({ scale: 4, left: 0, top: 0.75 });
  });

  it('moves only as far as a place needs to be seen', () => {
    const view = { scale: 4, left: 0.5, top: 0.5 };
    expect(revealing(view, { x: 0.6, y: 0.7 })).toEqual(view);
    expect(revealing(view, { x: 0.1, y: 0.9 })).toEqual({ scale: 4, left: 0.1, top: 0.65 });
  });

  it('knows where in the frame a place is', () => {
    const view = { scale: 2, left: 0.25, top: 0.5 };
    expect(placeOf(view, placeIn(view, MIDDLE))).toEqual(MIDDLE);
    expect(transformOf(view)).toBe('scale(2) translate(-25%, -50%)');
  });
});
