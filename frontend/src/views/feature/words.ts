import { isPadding } from './padding';

/** A stretch of a text that is read as one: its tokens from one place up to another. */
export interface Part {
  text: string;
  from: number;
  to: number;
  /** Whether it is no text but a mark of the tokenizer, as [CLS] is. */
  special: boolean;
}

/** How a tokenizer marks which pieces belong to one word. */
interface Scheme {
  /** Whether these tokens are marked in this way. */
  fits: (tokens: readonly string[]) => boolean;
  /** Whether a word begins with a piece. */
  begins: (piece: string, before: string) => boolean;
  /** The text of joined pieces. */
  read: (pieces: readonly string[]) => string;
}

const SCHEMES: Scheme[] = [
  // WordPiece: un ##believ ##able
  {
    fits: (tokens) => tokens.some((token) => /^##./.test(token)),
    begins: (piece) => !piece.startsWith('##'),
    read: (pieces) => pieces.map((piece, i) => (i > 0 ? piece.slice(2) : piece)).join(''),
  },
  // SentencePiece: ▁un believ able
  {
    fits: (tokens) => tokens.some((token) => token.startsWith('▁')),
    begins: (piece) => piece.startsWith('▁'),
    read: (pieces) => pieces.join('').replaceAll('▁', ' '),
  },
  // Bytes written as letters: Ġun believ able
  {
    fits: (tokens) =>
      tokens.some((token) => token.startsWith('Ġ')) &&
      tokens.every((token) => isSpecial(token) || [...token].every((letter) => BYTES.has(letter))),
    begins: (piece, before) => /^[ĠĊĉ]/.test(piece) || /[Ċĉ]$/.test(before),
    read: (pieces) => decoded(pieces.join('')),
  },
  // A mark where a word ends: un believ able</w>
  {
    fits: (tokens) => tokens.some((token) => token.endsWith('</w>')),
    begins: (_, before) => before.endsWith('</w>'),
    read: (pieces) => pieces.join('').replaceAll('</w>', ''),
  },
  // A mark where it goes on: un@@ believ@@ able
  {
    fits: (tokens) => tokens.some((token) => /.@@$/.test(token)),
    begins: (_, before) => !before.endsWith('@@'),
    read: (pieces) => pieces.join('').replaceAll('@@', ''),
  },
];

const SPECIAL = /^(?:\[(?:cls|sep|bos|eos)\]|<\/?s>|<(?:bos|eos|cls|sep)>|<\|[^|\s]+\|>)$/i;

/** Whether a token is a mark of the tokenizer: where a text begins, ends or is filled up. */
function isSpecial(token: string): boolean {
  return SPECIAL.test(token) || isPadding(token);
}

/** Each token by itself, as it was given. */
export function piecesOf(tokens: readonly string[]): Part[] {
  return tokens.map((text, from) => ({ text, from, to: from + 1, special: isSpecial(text) }));
}

/** Pieces joined into words, as the marks of WordPiece, SentencePiece and byte pair encodings say. */
export function wordsOf(tokens: readonly string[]): Part[] {
  const scheme = SCHEMES.find(({ fits }) => fits(tokens));
  const pieces = piecesOf(tokens);
  if (!scheme) return pieces;
  const begins = ({ text, from, special }: Part) => {
    const before = pieces[from - 1];
    return !before || special || before.special || scheme.begins(text, before.text);
  };
  const starts = pieces.map((piece, i) => begins(piece) || closesSentence(pieces, i, begins));
  return stretches(starts).map(([from, to]) => {
    const special = pieces[from]?.special ?? false;
    return {
      text: special ? (tokens[from] ?? '') : visible(scheme.read(tokens.slice(from, to))),
      from,
      to,
      special,
    };
  });
}

const STOPS = /^[.,;:!?…]+$/;

/** Whether a piece is a stop at the end of a word, and not within it as in 3.5. */
function closesSentence(pieces: Part[], place: number, begins: (piece: Part) => boolean): boolean {
  let next = place;
  while (STOPS.test(pieces[next]?.text ?? '')) next++;
  const after = pieces[next];
  return next > place && (!after || begins(after));
}

/** What a line break or spaces alone look like. */
function visible(text: string): string {
  return text.trim() || (text.includes('\n') ? '↵' : '␣');
}

/** Words joined into sentences: up to a stop, and what closes after it. */
export function sentencesOf(words: readonly Part[]): Part[] {
  let ended = true;
  const starts = words.map(({ text, special }, i) => {
    const begins = special || i === 0 || (ended && !CLOSING.test(text));
    ended = special || STOPPED.test(text) || (ended && !begins);
    return begins;
  });
  return stretches(starts).map(([first, beyond]) => {
    const within = words.slice(first, beyond);
    const [from, to] = [within[0]?.from ?? 0, within.at(-1)?.to ?? 0];
    return { text: joined(within), from, to, special: within[0]?.special ?? false };
  });
}

const STOPPED = /[.!?…]["'”’)]*$/; // the end of a sentence
const CLOSING = /^[.!?…"'”’)]+$/; // what belongs to the sentence before

function joined(words: readonly Part[]): string {
  return words.reduce((text, word) => {
    const close = text === '' || /[([“‘]$/.test(text) || /^[.,;:!?…%)\]”’']/.test(word.text);
    return close ? text + word.text : `${text} ${word.text}`;
  }, '');
}

/** From each start up to the next one. */
function stretches(starts: readonly boolean[]): [from: number, to: number][] {
  const places = starts.flatMap((start, i) => (start ? [i] : []));
  return places.map((from, i) => [from, places[i + 1] ?? starts.length]);
}

/** The byte that each letter of a byte-level vocabulary stands for: itself where it can be printed, else one from 256 on. */
const BYTES = new Map<string, number>();
for (let byte = 0, hidden = 256; byte < 256; byte++) {
  const printed = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  BYTES.set(String.fromCharCode(printed ? byte : hidden++), byte);
}

function decoded(letters: string): string {
  return new TextDecoder().decode(Uint8Array.from(letters, (letter) => BYTES.get(letter) ?? 63));
}
