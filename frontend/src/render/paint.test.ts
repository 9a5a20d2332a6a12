import { describe, expect, it } from 'vitest';
import { tokenColors } from '../views/feature/weights';
import { COLOR_MAP_NAMES, COLOR_MAPS, colorAt, contrast, luminance, SURFACES } from './colors';
import { lookup, paint } from './paint';

const SCHEMES = ['light', 'dark'] as const;
const table = lookup('map', 'RdBu', 1, 'light');
const rgb = (word: number) => [word & 255, (word >> 8) & 255, (word >> 16) & 255];
const red = (word = 0) => word & 255;
const blue = (word = 0) => (word >> 16) & 255;
const alpha = (word = 0) => word >>> 24;

describe('colour maps', () => {
  it.each(COLOR_MAP_NAMES)('%s gets darker from zero to either side', (map) => {
    const lightness = (t: number) => colorAt(map, t, 'light').reduce((sum, channel) => sum + channel, 0);
    for (const side of [-1, 1]) {
      const steps = [0, 0.2, 0.4, 0.6, 0.8, 1].map((t) => lightness(side * t));
      expect(steps).toEqual([...steps].sort((a, b) => b - a));
    }
  });

  it.each(COLOR_MAP_NAMES)('%s rises from the dark surface to equally light sides', (map) => {
    expect(colorAt(map, 0, 'dark')).toEqual(SURFACES.dark);
    const lightness = (t: number) => luminance(colorAt(map, t, 'dark')) ** (1 / 3);
    for (const t of [0.2, 0.4, 0.6, 0.8, 1]) {
      for (const side of [-1, 1]) expect(lightness(side * t)).toBeGreaterThan(lightness(side * (t - 0.2)));
      expect(Math.abs(lightness(t) - lightness(-t))).toBeLessThan(0.06);
    }
  });

  it.each(SCHEMES)('shows positive values in red and negative ones in blue, %s', (scheme) => {
    const colors = lookup('map', 'RdBu', 1, scheme);
    for (const step of [40, 80, 127]) {
      expect(red(colors[128 + step])).toBeGreaterThan(blue(colors[128 + step]));
      expect(blue(colors[128 - step])).toBeGreaterThan(red(colors[128 - step]));
    }
  });

  it('names its colours by what they show', () => {
    const hue = { red: [0], orange: [0], green: [1], blue: [2], purple: [0, 2] };
    for (const map of COLOR_MAP_NAMES) {
      for (const scheme of SCHEMES) {
        for (const [t, name] of [
          [0.7, COLOR_MAPS[map].positive],
          [-0.7, COLOR_MAPS[map].negative],
        ] as const) {
          const rgb = colorAt(map, t, scheme);
          expect(hue[name]).toContain(rgb.indexOf(Math.max(...rgb)));
        }
      }
    }
  });
});

describe('paint', () => {
  it('puts zero in the middle of the table and ±bound at its ends', () => {
    const pixels = paint(Float32Array.of(0, 2, -2, 9, -9), 5, 2, 'both', table);
    expect([...pixels]).toEqual([table[128], table[255], table[1], table[255], table[1]]);
    expect(rgb(pixels[0] as number)).toEqual([...colorAt('RdBu', 0, 'light')]);
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
    const overlay = lookup('overlay', 'RdBu', 0.5, 'light');
    const masked = lookup('masked', 'RdBu', 0.5, 'light');
    expect([overlay[128], overlay[255], overlay[1]].map(alpha)).toEqual([0, 128, 128]);
    expect([masked[128], masked[255], masked[1]].map(alpha)).toEqual([255, 0, 0]);
  });
});

describe('tokens', () => {
  it.each(SCHEMES)('stay readable at any weight on a %s surface', (scheme) => {
    for (const map of COLOR_MAP_NAMES) {
      for (let weight = -1; weight <= 1; weight += 0.05) {
        const { background, color } = tokenColors(weight, 1, 'both', map, scheme);
        expect(contrast(background, color)).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
});
