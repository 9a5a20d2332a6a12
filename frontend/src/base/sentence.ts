const END = /[.!?…:;]["'’”)]*$/;
const PLAIN_START = /^(?:an?|[a-z]{2,})(?=[ ,:]|$)/;

/** What a program says, as a sentence: with a capital, unless it starts with code, and with an end. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const start = PLAIN_START.test(trimmed) ? trimmed.slice(0, 1).toUpperCase() : trimmed.slice(0, 1);
  return `${start}${trimmed.slice(1)}${END.test(trimmed) ? '' : '.'}`;
}

/** Several of them, one after the other. */
export function sentences(...texts: string[]): string {
  return texts.map(sentence).filter(Boolean).join(' ');
}
