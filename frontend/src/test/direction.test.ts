import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, readSources, type Source } from './imports';

/** Which rooms the files of a room may import from, besides its own. */
const ROOMS: Record<string, string[]> = {
  base: [],
  api: ['base'],
  render: ['base'],
  state: ['base', 'api', 'render'],
  'views/common': ['base', 'api', 'render', 'state'],
  'views/feature': ['base', 'api', 'render', 'state', 'views/common'],
  'views/compare': ['base', 'api', 'render', 'state', 'views/common', 'views/feature'],
  'views/find': ['base', 'api', 'render', 'state', 'views/common'],
  'views/header': ['base', 'api', 'render', 'state', 'views/common'],
  'views/help': ['base', 'render', 'state', 'views/common'],
  'views/look': ['base', 'api', 'render', 'state', 'views/common', 'views/feature'],
  'views/understand': ['base', 'api', 'render', 'state', 'views/common', 'views/feature', 'views/compare'],
  views: [
    'api',
    'state',
    'views/common',
    'views/find',
    'views/header',
    'views/help',
    'views/look',
    'views/understand',
  ],
  '': ['base', 'api', 'state', 'views', 'views/common'], // the App and its two entries
};

/** Whose exports need no user here: what the build and hosts start from, and what is generated. */
const EXEMPT = ['page.tsx', 'widget.tsx', 'api/schema.ts'];

const sources = readSources(join(import.meta.dirname, '..'));
const isTest = ({ path }: Source) => path.includes('.test.') || path.startsWith('test/');
const code = sources.filter((each) => !isTest(each));

function roomOf(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}

/** "a → b" for every import that its room does not allow. */
function wrongWay(files: Source[]): string[] {
  return files.flatMap(({ path, imports }) => {
    const room = roomOf(path);
    const allowed = [room, ...(ROOMS[room] ?? [])];
    return imports
      .filter((each) => !allowed.includes(roomOf(each.path)))
      .map((each) => `${path} → ${each.path}`);
  });
}

/** Every circle of files, as the path around it. */
function circles(files: Source[]): string[] {
  const imports = new Map(files.map((each) => [each.path, each.imports.map(({ path }) => path)]));
  const left = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, way: string[]): void => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(' → '));
    else if (!left.has(path)) {
      for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
      left.add(path);
    }
  };
  for (const { path } of files) visit(path, []);
  return found;
}

/** "file: name" for every export that no other file imports. */
function unused(files: Source[]): string[] {
  const used = new Set(
    sources.flatMap(({ imports }) => imports.flatMap(({ path, names }) => names.map((n) => `${path}: ${n}`))),
  );
  return files
    .filter(({ path }) => !EXEMPT.includes(path))
    .flatMap(({ path, exports }) =>
      exports.map((name) => `${path}: ${name}`).filter((each) => !used.has(each)),
    );
}

describe('the front end points one way', () => {
  it('knows every room', () => {
    expect([...new Set(code.map(({ path }) => roomOf(path)))].sort()).toEqual(Object.keys(ROOMS).sort());
  });

  it('imports only from rooms below', () => {
    expect(wrongWay(code)).toEqual([]);
  });

  it('has no circle of files', () => {
    expect(circles(code)).toEqual([]);
  });

  it('draws without React', () => {
    const pure = code.filter(({ path }) => path.startsWith('render/'));
    expect(
      pure.flatMap(({ packages }) => packages).filter((name) => /react|mantine|tanstack/.test(name)),
    ).toEqual([]);
  });

  it('exports nothing that is not used', () => {
    expect(unused(code)).toEqual([]);
  });
});

describe('the test of directions', () => {
  const known = new Set(['base/a.ts', 'state/b.ts', 'state/c.ts']);
  const files = [
    read('base/a.ts', "import { b } from '../state/b'; export const a = b;", known),
    read('state/b.ts', "import type { C } from './c'; export const b = 1;", known),
    read('state/c.ts', "import { b } from './b'; export interface C {}", known),
  ];

  it('finds what points the wrong way, also by types and by import()', () => {
    expect(wrongWay(files)).toEqual(['base/a.ts → state/b.ts']);
    expect(wrongWay([read('base/a.ts', "void import('../state/b')", known)])).toHaveLength(1);
  });

  it('finds circles', () => {
    expect(circles(files)).toEqual(['state/b.ts → state/c.ts → state/b.ts']);
  });

  it('finds what nobody uses', () => {
    expect(unused(files)).toContain('base/a.ts: a');
  });
});
