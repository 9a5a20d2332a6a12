import { useMemo } from 'react';
import type { TextAttribution, TextInput } from '../../api/schema';
import { useDisplay } from '../../state/display';
import type { TextPart } from '../../state/location';
import type { Weight } from './weights';
import { type Part, piecesOf, sentencesOf, wordsOf } from './words';

/** A text in the parts in which it is read, and what each part weighs: the sum of its tokens. */
export interface TextReading {
  parts: Part[];
  weights: Weight[];
  noun: string;
}

export function useReading(input: TextInput, attribution: TextAttribution | undefined): TextReading {
  const { parts: kind } = useDisplay().display;
  const { tokens } = input;
  const weights = attribution?.weights ?? NONE;
  return useMemo(() => readAs(kind, tokens, weights), [kind, tokens, weights]);
}

const NONE: Weight[] = [];

/** A text in parts of a kind; by its tokens where there are more or fewer weights than those. */
export function readAs(kind: TextPart, tokens: readonly string[], weights: readonly Weight[]): TextReading {
  const matched = weights.length === 0 || weights.length === tokens.length;
  const parts = matched ? MAKE[kind](tokens) : piecesOf(tokens);
  if (parts.length === tokens.length) return { parts, weights: [...weights], noun: 'token' };
  const sums = weights.length ? parts.map(({ from, to }) => sum(weights.slice(from, to))) : [];
  return { parts, weights: sums, noun: kind === 'sentences' ? 'sentence' : 'word' };
}

const MAKE: Record<TextPart, (tokens: readonly string[]) => Part[]> = {
  pieces: piecesOf,
  words: wordsOf,
  sentences: (tokens) => sentencesOf(wordsOf(tokens)),
};

/** The sum of weights; not finite where one of them is not. */
function sum(weights: readonly Weight[]): Weight {
  return weights.reduce((total: Weight, weight) => {
    return typeof total === 'number' && typeof weight === 'number' ? total + weight : null;
  }, 0);
}

/** The kinds of parts that a text has, with their names: pieces where words have several, sentences where it has several. */
export function kindsOf(tokens: readonly string[]): Partial<Record<TextPart, string>> {
  const words = wordsOf(tokens);
  const sentences = sentencesOf(words).filter(({ special }) => !special).length;
  return {
    ...(words.length < tokens.length && { pieces: 'Pieces' }),
    words: 'Words',
    ...(sentences > 1 && { sentences: 'Sentences' }),
  };
}
