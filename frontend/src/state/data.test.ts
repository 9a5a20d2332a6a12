import { describe, expect, it } from 'vitest';
import type { Progress } from '../api/schema';
import { pollDrawing, pollInterval, scanTarget } from './data';

const progress = (changes: Partial<Progress>): Progress => ({
  workspace: 1,
  scanned: 0,
  size: null,
  exhausted: false,
  scanning: true,
  labelled: 0,
  failed: 0,
  unreadable: 0,
  changed_models: [],
  error: null,
  ...changes,
});

const policy = { scan_step: 2000, scan_all_below: 10_000 };

describe('scanning', () => {
  it('reads 2000 samples first, all of small data, and as far as asked', () => {
    expect(scanTarget(null, undefined, policy)).toBe(2000);
    expect(scanTarget(null, progress({ size: 9000 }), policy)).toBe(9000);
    expect(scanTarget(null, progress({ size: 70_000 }), policy)).toBe(2000);
    expect(scanTarget(4000, progress({ size: null }), policy)).toBe(4000);
    expect(scanTarget(1e300, progress({ size: null }), policy)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('asks again only while the server reads, and less often for long lists', () => {
    expect(pollInterval(progress({ scanning: false }))).toBe(false);
    expect(pollInterval(undefined)).toBe(false);
    expect(pollInterval(progress({}))).toBe(400);
    expect(pollInterval(progress({}), 5)).toBe(2000);
  });

  it('asks again for a sample that is still being drawn, and for no other failure', () => {
    const failed = (type: string) => ({ error: { type, message: 'm', hint: '' } });
    expect(pollDrawing([{ error: null }, failed('ValueError')])).toBe(false);
    expect(pollDrawing([{ error: null }, failed('Not yet')])).toBe(2000);
  });
});
