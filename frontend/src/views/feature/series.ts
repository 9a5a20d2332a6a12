/** Numbers, alone or of something that passes: "12", "t12", "t=12", "day 12", "0.12 s"; not "x12" or "probe 12". */
const TIMES = 't|time|tick|step|frame|lag|second|minute|hour|day|week|month|year';
const NUMBERED = new RegExp(`^((?:${TIMES})?[\\s_=+:-]*?)(-?\\d+(?:\\.\\d+)?)(\\s?[a-zµ]{0,5})$`, 'i');
const LEAST = 24; // values, from which on a line says more than bars

/** Whether names count on in even steps, as t0, t1, t2…: values in an order, such as of time. */
export function isSeries(names: readonly string[]): boolean {
  if (names.length < LEAST) return false;
  const parts = names.map((name) => NUMBERED.exec(name));
  const [first, second] = parts;
  if (!first || !second) return false;
  const step = Number(second[2]) - Number(first[2]);
  const isNext = (part: RegExpExecArray | null, i: number) =>
    part !== null &&
    part[1] === first[1] &&
    part[3] === first[3] &&
    Math.abs(Number(part[2]) - Number(first[2]) - i * step) < step / 2;
  return step > 0 && parts.every(isNext);
}

/** An SVG path through values at 0, 1, 2… from the lowest at 1 to the highest at 0, with gaps where there is none. */
export function linePath(values: readonly (number | null)[]): string {
  const [low, high] = limits(values);
  const height = high - low || 1;
  let pen = 'M';
  return values
    .map((value, i) => {
      if (value === null) {
        pen = 'M';
        return '';
      }
      const point = `${pen}${i + 0.5} ${(high - value) / height}`;
      pen = 'L';
      return point;
    })
    .join('');
}

/** The smallest and the largest of the values. */
export function limits(values: readonly (number | null)[]): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 0];
}
