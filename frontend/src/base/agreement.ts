/** How alike two lists of numbers are. */
export interface Agreement {
  /** Of the numbers; of their sizes where one side has no signs. */
  correlation: number;
  /** The share of the strongest that both have in common. */
  overlap: number;
}

/** The agreement of two lists; null where one of them is constant, or not finite. */
export function agreementOf(a: Float32Array, b: Float32Array, signed: boolean): Agreement | null {
  const correlation = signed ? spearman(a, b) : spearman(a.map(Math.abs), b.map(Math.abs));
  if (!Number.isFinite(correlation)) return null;
  const k = Math.min(strongestCount(a.length), nonzero(a), nonzero(b));
  return { correlation, overlap: topOverlap(a, b, k) };
}

/** How many of a list count as the strongest: a tenth, or of few five at most. */
export function strongestCount(length: number): number {
  return length < FEW ? Math.min(5, Math.ceil(length / 2)) : Math.round(length / 10);
}

const FEW = 50;

function nonzero(values: Float32Array): number {
  return values.reduce((count, value) => (value === 0 ? count : count + 1), 0);
}

const ranked = new WeakMap<Float32Array, Float64Array>();

/** Spearman's rank correlation; equal numbers share their mean rank. NaN where all of a side are equal or not all are finite. */
export function spearman(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length || a.length === 0) return Number.NaN;
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const mean = (a.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] as number) - mean, (y[i] as number) - mean];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xy / Math.sqrt(xx * yy);
}

/** The place of each number in order, from 1 on; computed once for each array. */
function ranksOf(values: Float32Array): Float64Array {
  const known = ranked.get(values);
  if (known) return known;
  const order = values.toSorted(); // NaN last
  const finite = Number.isFinite(order[0]) && Number.isFinite(order.at(-1));
  const ranks = Float64Array.from(values, (value) =>
    finite ? (countBelow(order, value) + countUpTo(order, value) + 1) / 2 : Number.NaN,
  );
  ranked.set(values, ranks);
  return ranks;
}

/** How many of the `k` largest sizes are the same ones on both sides, as a share of k; equal sizes share the last places. */
export function topOverlap(a: Float32Array, b: Float32Array, k: number): number {
  const [x, y] = [topOf(a, k), topOf(b, k)];
  let both = 0;
  for (let i = 0; i < a.length; i++) both += Math.min(x(a[i] as number), y(b[i] as number));
  return both / k;
}

/** How much of each number is among the `k` largest sizes: all of it, nothing, or a share of what is left for equal ones. */
function topOf(values: Float32Array, k: number): (value: number) => number {
  const order = values.map(Math.abs).sort();
  const last = order[order.length - k] as number;
  const beyond = order.length - countUpTo(order, last);
  const equal = order.length - beyond - countBelow(order, last);
  return (value) => {
    const size = Math.abs(value);
    return size > last ? 1 : size === last ? (k - beyond) / equal : 0;
  };
}

function countBelow(order: Float32Array, value: number): number {
  return firstPlace(order.length, (i) => (order[i] as number) >= value);
}

function countUpTo(order: Float32Array, value: number): number {
  return firstPlace(order.length, (i) => (order[i] as number) > value);
}

/** The first of `length` places that is beyond, where all after it are beyond too. */
function firstPlace(length: number, isBeyond: (place: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBeyond(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
