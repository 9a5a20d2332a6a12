import { describe, expect, it } from 'vitest';
import { encodeFloat16 } from '../api/fakeBytes';
import { decodeFloat16 } from './float16';

const bits = (...words: number[]) => new Uint8Array(words.flatMap((word) => [word & 255, word >> 8])).buffer;

describe('decodeFloat16', () => {
  it('reads normal, subnormal and special numbers, low byte first', () => {
    const values = decodeFloat16(
      bits(0x3c00, 0xc000, 0x3555, 0x7bff, 0x0001, 0x8400, 0x7c00, 0xfc00, 0x7e00),
    );
    expect([...values]).toEqual([
      1,
      -2,
      0.333251953125,
      65504,
      2 ** -24,
      -(2 ** -14),
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ]);
  });

  it('keeps the sign of zero', () => {
    const [plus, minus] = decodeFloat16(bits(0x0000, 0x8000));
    expect(Object.is(plus, 0)).toBe(true);
    expect(Object.is(minus, -0)).toBe(true);
  });

  it('undoes the encoding of every finite number', () => {
    const all = Array.from({ length: 65536 }, (_, word) => word).filter((word) => (word & 0x7c00) !== 0x7c00);
    expect(encodeFloat16(decodeFloat16(bits(...all)))).toEqual(bits(...all));
  });
});
