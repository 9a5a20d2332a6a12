import type { Scheme } from '../base/scheme';
import { type ColorMap, colorAt, type Rgb, strongColor } from './colors';

export type Sign = 'both' | 'positive' | 'negative' | 'absolute';
export type Layer = 'map' | 'overlay' | 'masked';

/** 256 colours as RGBA words: entries 1…255 are t = −1…1 with zero at 128; entry 0 is unused. */
export type Lookup = Uint32Array;

const CENTRE = 128;
const STEPS = 127;
const VEIL: Rgb = [128, 128, 134]; // on which neither black nor white disappears
const MARKS = [pack([255, 214, 0], 255), pack([0, 0, 0], 255)] as const;

/** The table of a layer: colours (map), colours by opacity over the image, or a veil where little is attributed. */
export function lookup(layer: Layer, colors: ColorMap, opacity: number, scheme: Scheme): Lookup {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const t = Math.max(-1, (i - CENTRE) / STEPS);
    if (layer === 'map') return pack(colorAt(colors, t, scheme), 255);
    if (layer === 'overlay') return pack(strongColor(colors, t, scheme), 255 * opacity * Math.abs(t));
    return pack(VEIL, 255 * (1 - Math.abs(t)));
  });
}

/** Raw values as RGBA words: scaled to ±bound, kept sign, looked up; non-finite ones as yellow and black checks. */
export function paint(
  values: Float32Array,
  width: number,
  bound: number,
  sign: Sign,
  table: Lookup,
): Uint32Array<ArrayBuffer> {
  const colors = foldSign(table, sign);
  const factor = bound > 0 ? STEPS / bound : 0;
  const pixels = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    pixels[i] = Number.isFinite(value)
      ? (colors[CENTRE + nearestStep(value * factor)] as number)
      : MARKS[((i % width) + Math.floor(i / width)) % 2 === 0 ? 0 : 1];
  }
  return pixels;
}

/** The table with its colours moved to where a value of the other sign looks them up. */
function foldSign(table: Lookup, sign: Sign): Lookup {
  return table.map((_, i) => table[Math.round(CENTRE + STEPS * SIGNS[sign]((i - CENTRE) / STEPS))] ?? 0);
}

/** Where a kept value lies between −1 and 1. */
export function position(value: number, bound: number, sign: Sign): number {
  return bound > 0 ? Math.max(-1, Math.min(1, SIGNS[sign](value) / bound)) : 0;
}

const SIGNS: Record<Sign, (value: number) => number> = {
  both: (value) => value,
  positive: (value) => Math.max(value, 0),
  negative: (value) => Math.min(value, 0),
  absolute: Math.abs,
};

/** The nearest step within ±STEPS; rounding is the same on both sides of zero. */
function nearestStep(x: number): number {
  if (x >= 0) return x < STEPS ? (x + 0.5) | 0 : STEPS;
  return x > -STEPS ? (x - 0.5) | 0 : -STEPS;
}

function pack([red, green, blue]: Rgb, alpha: number): number {
  return ((Math.round(alpha) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
