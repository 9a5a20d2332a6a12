import { percent, plural } from '../../base/format';
import type { Scheme } from '../../base/scheme';
import { type ColorMap, css, mix, readableOn, SURFACES, strongColor } from '../../render/colors';
import { position, type Sign } from '../../render/paint';

const STRONGEST = 0.9;

/** From where to where values reach. */
export interface Extent {
  minimum: number;
  maximum: number;
}

export type Weight = number | null | undefined;

/** The largest |weight|, at which colours and bars are full. */
export function largest(weights: readonly Weight[]): number {
  return weights.reduce<number>((most, weight) => Math.max(most, Math.abs(weight ?? 0)), 0);
}

/** The smallest and the largest of the weights and zero. */
export function extentOf(weights: readonly Weight[]): Extent {
  let [minimum, maximum] = [0, 0];
  for (const weight of weights) {
    minimum = Math.min(minimum, weight ?? 0);
    maximum = Math.max(maximum, weight ?? 0);
  }
  return { minimum, maximum };
}

/** Places of the weights, largest |weight| first. */
export function byStrength(weights: readonly Weight[]): number[] {
  return weights.map((_, i) => i).sort((a, b) => Math.abs(weights[b] ?? 0) - Math.abs(weights[a] ?? 0));
}

/** What is to be known where there are not as many words as weights; null where there are. */
export function unnamed(words: number, weights: readonly Weight[]): string | null {
  if (words === weights.length) return null;
  if (words > weights.length) {
    return `${plural(words, 'word')} for ${plural(weights.length, 'token')}: they may not belong together.`;
  }
  const share = shareOf(weights, words, weights.length);
  return `${plural(weights.length - words, 'token')} after these without a word: ${percent(share)} of the attribution.`;
}

/** The share of the sum of |weight| that the weights from one place up to another have. */
export function shareOf(weights: readonly Weight[], from: number, to: number): number {
  const sum = (part: readonly Weight[]) => part.reduce<number>((s, weight) => s + Math.abs(weight ?? 0), 0);
  return sum(weights.slice(from, to)) / (sum(weights) || 1);
}

/** A token's background by weight, with a text colour that stays readable on it. */
export function tokenColors(weight: Weight, bound: number, sign: Sign, colors: ColorMap, scheme: Scheme) {
  const t = typeof weight === 'number' ? position(weight, bound, sign) : 0;
  const background = mix(SURFACES[scheme], strongColor(colors, t, scheme), STRONGEST * Math.abs(t));
  return { background, color: readableOn(background) };
}

export function tokenStyle(...args: Parameters<typeof tokenColors>) {
  const { background, color } = tokenColors(...args);
  return { backgroundColor: css(background), color: css(color) };
}
