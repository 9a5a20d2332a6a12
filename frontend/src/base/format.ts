const counts = new Intl.NumberFormat('en');
const MINUS = '\u2212';

/** 12345 → "12,345". */
export function count(value: number): string {
  return counts.format(value);
}

/** Three significant digits, whole numbers with commas, and a true minus sign; "not finite" for null. */
export function number(value: number | null | undefined): string {
  return written(value, (text) => text.replace(/\.?0+(?=e|$)/, ''));
}

/** As `number`, with its sign always shown, and digits that can be compared: −2.00 beside −0.702. */
export function signed(value: number | null | undefined): string {
  const text = written(value, (text) => text);
  return typeof value === 'number' && value > 0 ? `+${text}` : text;
}

/** As `signed`, of what has no sign: 0.240 beside −0.240. */
export function fixed(value: number | null | undefined): string {
  return written(value, (text) => text);
}

const LARGEST = 1e6; // from where on a number is read by its power of ten
const SMALLEST = 1e-3;

function written(value: number | null | undefined, plain: (text: string) => string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'not finite';
  const size = Math.abs(value);
  if (size === 0) return '0';
  return digits(value, size, plain).replaceAll('-', MINUS).replace('e+', 'e');
}

function digits(value: number, size: number, plain: (text: string) => string): string {
  if (size < SMALLEST || size >= LARGEST) return plain(value.toExponential(2));
  if (size >= 1000) return count(Math.round(value));
  return plain(value.toFixed(size >= 100 ? 1 : 2 - Math.floor(Math.log10(size))));
}

/** A score: three decimals where that is how probabilities are read. */
export function score(value: number | null): string {
  if (value === null) return 'not finite';
  if (value < 0 || value > 1) return number(value);
  return value.toFixed(3);
}

/** 0.0123 → "1.2 %", 12.3 → "1,230 %"; `decimals` of what is small. */
export function percent(share: number, decimals = 1): string {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return '< 0.1 %';
  return value >= 1000 ? `${count(Math.round(value))} %` : `${value.toFixed(decimals)} %`;
}

export function seconds(value: number): string {
  if (value < 0.95) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 90) return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} s`;
  return `${Math.round(value / 60)} min`;
}

/** 'word' → 'Word'. */
export function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** One or many: plural(1, 'sample') → "1 sample". */
export function plural(value: number, noun: string, nouns = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/** 99 → "99th". */
export function ordinal(value: number): string {
  const ones = value % 10;
  const teen = Math.floor(value / 10) % 10 === 1;
  const suffix = teen || !Number.isInteger(value) ? 'th' : (['th', 'st', 'nd', 'rd'][ones] ?? 'th');
  return `${value}${suffix}`;
}
