const sorted = new WeakMap<Float32Array, Float32Array>();

/** The finite values' sizes, smallest first; sorted once for each map. */
function magnitudes(values: Float32Array): Float32Array {
  const known = sorted.get(values);
  if (known) return known;
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort();
  sorted.set(values, sizes);
  return sizes;
}

/** The `percentile`-th percentile of |a| by nearest rank; the largest |a| where that is zero. */
export function clipBound(values: Float32Array, percentile: number): number {
  const sizes = magnitudes(values);
  const rank = Math.ceil((percentile / 100) * sizes.length);
  return sizes[Math.max(rank, 1) - 1] || sizes[sizes.length - 1] || 0;
}

/** Which share of the finite values lies beyond ±bound. */
export function clippedShare(values: Float32Array, bound: number): number {
  const sizes = magnitudes(values);
  if (sizes.length === 0) return 0;
  let low = 0;
  let high = sizes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sizes[middle] as number) <= bound) low = middle + 1;
    else high = middle;
  }
  return (sizes.length - low) / sizes.length;
}
