import { interpolatePRGn, interpolatePuOr, interpolateRdBu } from 'd3-scale-chromatic';

export type Rgb = readonly [red: number, green: number, blue: number];

/** Diverging colour maps safe for colour-blind eyes; from −1 over zero in the middle to +1. */
export const COLOR_MAPS = {
  RdBu: { title: 'Blue – red', at: (t: number) => interpolateRdBu(0.5 - t / 2) },
  PuOr: { title: 'Purple – orange', at: (t: number) => interpolatePuOr(0.5 - t / 2) },
  PRGn: { title: 'Purple – green', at: (t: number) => interpolatePRGn(0.5 + t / 2) },
} as const;

export type ColorMap = keyof typeof COLOR_MAPS;
export const COLOR_MAP_NAMES = Object.keys(COLOR_MAPS) as ColorMap[];

/** The colour of t ∈ [−1, 1]. */
export function colorAt(map: ColorMap, t: number): Rgb {
  return parse(COLOR_MAPS[map].at(t));
}

/** One strong colour for each sign, for where the amount is told by length or opacity. */
export function strongColor(map: ColorMap, sign: number): Rgb {
  return colorAt(map, sign < 0 ? -0.68 : 0.68);
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

function luminance(color: Rgb): number {
  const linear = (channel: number) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
}

function parse(color: string): Rgb {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map(Number);
  return [red, green, blue];
}
