import { useComputedColorScheme } from '@mantine/core';
import { type ColorMap, css, mix, type Rgb, readableOn, strongColor } from '../../render/colors';
import { position, type Sign } from '../../render/paint';

const SURFACES: Record<'light' | 'dark', Rgb> = { light: [255, 255, 255], dark: [24, 25, 29] };
const STRONGEST = 0.9;

export type Weight = number | null | undefined;

/** The largest |weight|, at which colours and bars are full. */
export function largest(weights: readonly Weight[]): number {
  return Math.max(0, ...weights.map((weight) => Math.abs(weight ?? 0)));
}

/** Places of the weights, largest |weight| first. */
export function byStrength(weights: readonly Weight[]): number[] {
  return weights.map((_, i) => i).sort((a, b) => Math.abs(weights[b] ?? 0) - Math.abs(weights[a] ?? 0));
}

/** A token's background by weight, with a text colour that stays readable on it. */
export function tokenColors(weight: Weight, bound: number, sign: Sign, colors: ColorMap, surface: Rgb) {
  const t = typeof weight === 'number' ? position(weight, bound, sign) : 0;
  const background = mix(surface, strongColor(colors, t), STRONGEST * Math.abs(t));
  return { background, color: readableOn(background) };
}

export function useSurface(): Rgb {
  return SURFACES[useComputedColorScheme('light')];
}

export function tokenStyle(...args: Parameters<typeof tokenColors>) {
  const { background, color } = tokenColors(...args);
  return { backgroundColor: css(background), color: css(color) };
}
