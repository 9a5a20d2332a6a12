/** Numbers as little-endian IEEE 754 half-precision ones, rounded to the nearest. */
export function encodeFloat16(values: ArrayLike<number>): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(2 * values.length));
  for (let i = 0; i < values.length; i++) view.setUint16(2 * i, toHalf(values[i] as number), true);
  return view.buffer;
}

function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const fraction = Math.round((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + fraction);
}

/** A square image of RGB triples in [0, 1] as an uncompressed BMP file. */
export function bitmap(pixels: Float32Array, size: number): ArrayBuffer {
  const stride = Math.ceil((3 * size) / 4) * 4;
  const view = new DataView(new ArrayBuffer(54 + stride * size));
  view.setUint16(0, 0x424d);
  view.setUint32(2, view.byteLength, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, size, true);
  view.setInt32(22, -size, true); // rows from the top
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let i = 0; i < size * size; i++) {
    const at = 54 + Math.floor(i / size) * stride + (i % size) * 3;
    for (let c = 0; c < 3; c++) view.setUint8(at + 2 - c, Math.round(255 * (pixels[3 * i + c] ?? 0)));
  }
  return view.buffer;
}
