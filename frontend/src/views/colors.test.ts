import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = import.meta.dirname;

/** "file: colour" for every strong red that styles or the theme name. */
function reds(): string[] {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.css$|theme\.ts$/.test(path),
  );
  return files.flatMap((path) => {
    const colors = readFileSync(join(ROOT, path), 'utf8').match(/#[\da-f]{6}\b/gi) ?? [];
    return colors.filter(isRed).map((color) => `${path}: ${color}`);
  });
}

function isRed(color: string): boolean {
  const [red = 0, green = 0, blue = 0] =
    color.match(/[\da-f]{2}/gi)?.map((part) => Number.parseInt(part, 16)) ?? [];
  const most = Math.max(green, blue);
  return red > 1.5 * most && green < 1.3 * blue + 40;
}

it('keeps red for attributions alone: mistakes and failures are amber', () => {
  expect(['#b4371c', '#d9603f'].every(isRed)).toBe(true);
  expect(reds()).toEqual([]);
});
