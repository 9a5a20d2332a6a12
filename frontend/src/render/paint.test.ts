import { describe, expect, it } from 'vitest';
import { tokenColors } from '../views/feature/weights';
import { COLOR_MAP_NAMES, colorAt, contrast } from './colors';
import { lookup, paint } from './paint';

const WHITE = [255, 255, 255] as const;
const table = lookup('map', 'RdBu', 1, WHITE);
const rgb = (word: number) => [word & 255, (word >> 8) & 255, (word >> 16) & 255];
const red = (word = 0) => word & 255;
const blue = (word = 0) => (word >> 16) & 255;
const alpha = (word = 0) => word >>> 24;

describe('colour maps', () => {
  it.each(COLOR_MAP_NAMES)('%s gets darker from zero to either side', (map) => {
    const lightness = (t: number) => colorAt(map, t).reduce((sum, channel) => sum + channel, 0);
    for (const side of [-1, 1]) {
      const steps = [0, 0.2, 0.4, 0.6, 0.8, 1].map((t) => lightness(side * t));
      expect(steps).toEqual([...steps].sort((a, b) => b - a));
    }
  });

  it('shows positive values in red and negative ones in blue', () => {
    expect(red(table[255])).toBeGreaterThan(blue(table[255]));
    expect(blue(table[1])).toBeGreaterThan(red(table[1]));
  });
});

describe('paint', () => {
  it('puts zero in the middle of the table and ±bound at its ends', () => {
    const pixels = paint(Float32Array.of(0, 2, -2, 9, -9), 5, 2, 'both', table);
    expect([...pixels]).toEqual([table[128], table[255], table[1], table[255], table[1]]);
    expect(rgb(pixels[0] as number)).toEqual([...colorAt('RdBu', 0)]);
  });

  it('mirrors when the signs are swapped', () => {
    const steps = Uint32Array.from({ length: 256 }, (_, i) => i);
    const values = Float32Array.of(0.1, 0.5, 0.9);
    const right = paint(values, 3, 1, 'both', steps);
    const left = paint(
      values.map((value) => -value),
      3,
      1,
      'both',
      steps,
    );
    expect([...right].map((step) => 128 - step)).toEqual([...left].map((step) => step - 128));
  });

  it('keeps the chosen sign only', () => {
    const kept = (sign: Parameters<typeof paint>[3]) => [...paint(Float32Array.of(1, -1), 2, 1, sign, table)];
    expect(kept('positive')).toEqual([table[255], table[128]]);
    expect(kept('negative')).toEqual([table[128], table[1]]);
    expect(kept('absolute')).toEqual([table[255], table[255]]);
  });

  it('marks non-finite values in colours of no map, in checks', () => {
    const pixels = paint(new Float32Array(4).fill(Number.NaN), 2, 1, 'both', table);
    expect([...pixels].map((word) => rgb(word))).toEqual([
      [255, 214, 0],
      [0, 0, 0],
      [0, 0, 0],
      [255, 214, 0],
    ]);
  });

  it('paints a map of zeros without dividing by zero', () => {
    expect([...paint(new Float32Array(2), 2, 0, 'both', table)]).toEqual([table[128], table[128]]);
  });

  it('lets the image through where little is attributed in an overlay, and hides it there in a mask', () => {
    const overlay = lookup('overlay', 'RdBu', 0.5, WHITE);
    const masked = lookup('masked', 'RdBu', 0.5, WHITE);
    expect([overlay[128], overlay[255], overlay[1]].map(alpha)).toEqual([0, 128, 128]);
    expect([masked[128], masked[255], masked[1]].map(alpha)).toEqual([255, 0, 0]);
  });
});

describe('tokens', () => {
  const surfaces = { light: [255, 255, 255], dark: [24, 25, 29] } as const;
  it.each(Object.entries(surfaces))('stay readable at any weight on a %s surface', (_, surface) => {
    for (const map of COLOR_MAP_NAMES) {
      for (let weight = -1; weight <= 1; weight += 0.05) {
        const { background, color } = tokenColors(weight, 1, 'both', map, surface);
        expect(contrast(background, color)).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
});
