import { interpolatePRGn, interpolatePuOr, interpolateRdBu } from 'd3-scale-chromatic';
import type { Scheme } from '../base/scheme';

export type Rgb = readonly [red: number, green: number, blue: number];

/** What lies under everything that is drawn; `--surface` in tokens.module.css. */
export const SURFACES: Record<Scheme, Rgb> = { light: [255, 255, 255], dark: [24, 25, 29] };

/** From the dark surface up in even steps of OKLab lightness: 0.36, 0.50, 0.66, 0.80. */
const ON_DARK = {
  red: ['#6f1a11', '#af2c1f', '#ec5d4b', '#ffa192'],
  blue: ['#003e71', '#0065b0', '#1795fa', '#89c3fe'],
  orange: ['#5b3100', '#915100', '#d27900', '#f9aa60'],
  purple: ['#4a2870', '#7842b1', '#a971eb', '#cdaafe'],
  green: ['#004b1e', '#007835', '#09af51', '#7cd591'],
};

interface DivergingMap {
  title: string;
  /** The hues' names: of what is positive, and of what is negative. */
  positive: keyof typeof ON_DARK;
  negative: keyof typeof ON_DARK;
  onLight: (t: number) => string;
}

/** Diverging colour maps safe for colour-blind eyes; from −1 over zero in the middle to +1. */
export const COLOR_MAPS = {
  RdBu: {
    title: 'Blue – red',
    positive: 'red',
    negative: 'blue',
    onLight: (t) => interpolateRdBu(0.5 - t / 2),
  },
  PuOr: {
    title: 'Purple – orange',
    positive: 'orange',
    negative: 'purple',
    onLight: (t) => interpolatePuOr(0.5 + t / 2),
  },
  PRGn: {
    title: 'Purple – green',
    positive: 'green',
    negative: 'purple',
    onLight: (t) => interpolatePRGn(0.5 + t / 2),
  },
} as const satisfies Record<string, DivergingMap>;

export type ColorMap = keyof typeof COLOR_MAPS;
export const COLOR_MAP_NAMES = Object.keys(COLOR_MAPS) as ColorMap[];

/** The colour of t ∈ [−1, 1]: white, or the dark surface, in the middle, and the same hues at the ends. */
export function colorAt(map: ColorMap, t: number, scheme: Scheme): Rgb {
  const { positive, negative, onLight } = COLOR_MAPS[map];
  if (scheme === 'light') return parse(onLight(t));
  const stops = [SURFACES.dark, ...ON_DARK[t < 0 ? negative : positive].map(parse)];
  const place = Math.min(1, Math.abs(t)) * (stops.length - 1);
  const below = Math.min(Math.floor(place), stops.length - 2);
  return mix(stops[below] as Rgb, stops[below + 1] as Rgb, place - below);
}

/** One strong colour for each sign, for where the amount is told by length or opacity. */
export function strongColor(map: ColorMap, sign: number, scheme: Scheme): Rgb {
  return colorAt(map, sign < 0 ? -0.68 : 0.68, scheme);
}

/** `from` with the share `amount` of `to` mixed in. */
export function mix(from: Rgb, to: Rgb, amount: number): Rgb {
  const blend = (i: 0 | 1 | 2) => Math.round(from[i] + (to[i] - from[i]) * amount);
  return [blend(0), blend(1), blend(2)];
}

/** Black or white, whichever reads better on a background (WCAG relative luminance). */
export function readableOn(background: Rgb): Rgb {
  return luminance(background) > 0.179 ? [0, 0, 0] : [255, 255, 255];
}

/** WCAG 2 contrast ratio of two colours. */
export function contrast(a: Rgb, b: Rgb): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

export function css([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}

/** WCAG relative luminance. */
export function luminance(color: Rgb): number {
  const linear = (channel: number) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
}

function parse(color: string): Rgb {
  const hex = color.match(/[\da-f]{2}/gi);
  const [red = 0, green = 0, blue = 0] = color.startsWith('#')
    ? (hex ?? []).map((pair) => Number.parseInt(pair, 16))
    : (color.match(/\d+/g) ?? []).map(Number);
  return [red, green, blue];
}
