import {
  createParser,
  parseAsArrayOf,
  parseAsBoolean,
  parseAsFloat,
  parseAsInteger,
  parseAsJson,
  parseAsNumberLiteral,
  parseAsString,
  parseAsStringLiteral,
} from 'nuqs/server';
import type { AttributionRequest } from '../api/schema';
import { ORDERS, OUTCOMES } from '../api/values';
import { GRAINS } from '../render/cells';
import { COLOR_MAP_NAMES } from '../render/colors';

const VIEWS = ['overlay', 'map', 'masked', 'original'] as const;
const SIGNS = ['both', 'positive', 'negative', 'absolute'] as const;
const EXPLAINED = ['predicted', 'true', 'second', 'contrast'] as const;
const BARS = ['strength', 'given'] as const; // the strongest first, or as given
const PARTS = ['pieces', 'words', 'sentences'] as const; // of a text
const SCALES = ['image', 'shared'] as const;

export type View = (typeof VIEWS)[number];
export type Outcome = (typeof OUTCOMES)[number];
export type Order = (typeof ORDERS)[number];
export type Explained = (typeof EXPLAINED)[number];
export type Arguments = NonNullable<AttributionRequest['arguments']>;
export type Argument = Arguments[string];
export type TextPart = (typeof PARTS)[number];
export type Baseline = NonNullable<AttributionRequest['baseline']>;

const parseAsBaseline = createParser<Baseline>({
  parse: (text) => (text === 'mean' ? 'mean' : parseAsInteger.parse(text)),
  serialize: String,
});

/** What is asked and selected; absent from the address where it is the default. */
export const questionParsers = {
  model: parseAsInteger.withDefault(0),
  method: parseAsString,
  args: parseAsJson(asArguments),
  baseline: parseAsBaseline.withDefault(0),
  outcome: parseAsStringLiteral(OUTCOMES).withDefault('all'),
  predicted: parseAsArrayOf(parseAsInteger).withDefault([]),
  actual: parseAsArrayOf(parseAsInteger).withDefault([]),
  above: parseAsFloat, // the best score is at least that, and less than what `below` says
  below: parseAsFloat,
  order: parseAsStringLiteral(ORDERS),
  scan: parseAsInteger,
  sample: parseAsInteger,
  target: parseAsInteger,
  against: parseAsInteger,
  function: parseAsString,
  layer: parseAsString,
  explain: parseAsStringLiteral(EXPLAINED),
};

/** What is shown side by side: the methods of that name, every model. */
export const comparisonParsers = {
  compare: parseAsArrayOf(parseAsString).withDefault([]),
  across: parseAsBoolean.withDefault(false),
};

/** How attributions are drawn. */
export const displayParsers = {
  view: parseAsStringLiteral(VIEWS), // absent: as what is drawn is best seen
  sign: parseAsStringLiteral(SIGNS).withDefault('both'),
  clip: parseAsFloat.withDefault(99),
  opacity: parseAsFloat.withDefault(0.9),
  grain: parseAsNumberLiteral(GRAINS).withDefault(1), // pixels along a patch's side
  channels: parseAsString.withDefault('sum'),
  colors: parseAsStringLiteral(COLOR_MAP_NAMES).withDefault('RdBu'),
  scale: parseAsStringLiteral(SCALES).withDefault('image'),
  parts: parseAsStringLiteral(PARTS).withDefault('words'),
  bars: parseAsStringLiteral(BARS).withDefault('strength'),
  all: parseAsBoolean.withDefault(false),
  full: parseAsInteger, // the place of the input that fills the screen
};

function asArguments(value: unknown): Arguments | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const plain = (each: unknown) => each === null || ['boolean', 'number', 'string'].includes(typeof each);
  return Object.values(value).every(plain) ? (value as Arguments) : null;
}
