import { useMemo } from 'react';
import type { InputAttribution, SampleInput } from '../../api/client';
import type { AttributionMap } from '../../api/schema';
import { cellsOf, GRAINS } from '../../render/cells';
import { useDisplay } from '../../state/display';
import { useMapsValues } from '../../state/explanation';
import { chosenMap } from '../feature/Layers';
import { hasSign } from '../feature/MapCanvas';
import { readAs } from '../feature/parts';
import type { Weight } from '../feature/weights';

const MOST = 100_000; // numbers of a map that are compared one by one

/** The numbers of one input by several explanations. */
interface Compared {
  lists: (Float32Array | undefined)[];
  /** "pixels", "patches of 4 × 4 px", "words", "columns". */
  nouns: string;
}

/** The numbers as they are drawn: of patches where the map is in patches, or so large that pixels are too many. */
export function useNumbers(
  input: SampleInput,
  attributions: readonly (InputAttribution | undefined)[],
): Compared {
  const { channels, grain, parts } = useDisplay().display;
  const maps = attributions.map((each) => (each?.kind === 'image' ? chosenMap(each, channels) : undefined));
  const values = useMapsValues(maps);
  const side = input.kind === 'image' ? sideFor(maps, grain) : 1;
  const weights = attributions.map((each) => (each && 'weights' in each ? each.weights : undefined));
  // biome-ignore lint/correctness/useExhaustiveDependencies: lists of parts that stay the same
  return useMemo(() => {
    if (input.kind === 'image') {
      const lists = maps.map((map, i) =>
        map && values[i] ? cellsOf(map, values[i], side).values : undefined,
      );
      return { lists, nouns: side === 1 ? 'pixels' : `patches of ${side} × ${side} px` };
    }
    if (input.kind === 'text') {
      const read = weights.map((each) => each && readAs(parts, input.tokens, each));
      return {
        lists: read.map((each) => each && numbers(each.weights)),
        nouns: `${read.find(Boolean)?.noun}s`,
      };
    }
    return { lists: weights.map((each) => each && numbers(each)), nouns: 'columns' };
  }, [input, side, parts, ...maps, ...values, ...weights]);
}

function numbers(weights: readonly Weight[]): Float32Array {
  return Float32Array.from(weights, (weight) => weight ?? Number.NaN);
}

function sideFor(maps: (AttributionMap | undefined)[], grain: number): number {
  const pixels = Math.max(0, ...maps.map((map) => (map ? map.width * map.height : 0)));
  return GRAINS.find((side) => side >= grain && pixels / side ** 2 <= MOST) ?? 32;
}

/** Whether an explanation's numbers have a sign. */
export function isSigned(signed: boolean, input: InputAttribution | undefined, channels: string): boolean {
  return (
    signed && (input?.kind !== 'image' || hasSign({ reduction: chosenMap(input, channels)?.reduction ?? '' }))
  );
}
