const NAMED = /^(?:\[pad\]|<\|?pad\|?>|<\|?padding\|?>|\[padding\]|\u2581?<pad>)$/i;
const WORDLESS = /^[\s·._-]*$/;
const MANY = 3; // of the same token without a letter, from which on it fills a place

/** From where to where a text reaches without the padding before and after it: [first, beyond the last]. */
export function withoutPadding(tokens: readonly string[]): readonly [number, number] {
  let from = 0;
  let to = tokens.length;
  while (to > from && isPadding(tokens[to - 1])) to--;
  if (to === tokens.length) to = tokens.length - repeated(tokens);
  while (from < to && isPadding(tokens[from])) from++;
  return to > from ? [from, to] : [0, tokens.length];
}

/** Whether a token says that it is padding. */
export function isPadding(token: string | undefined): boolean {
  return token !== undefined && NAMED.test(token);
}

/** How many tokens without a letter, all the same, end a text; 0 where they are few. */
function repeated(tokens: readonly string[]): number {
  const last = tokens.at(-1);
  if (last === undefined || !WORDLESS.test(last)) return 0;
  let count = 0;
  while (count < tokens.length && tokens[tokens.length - 1 - count] === last) count++;
  return count >= MANY ? count : 0;
}
