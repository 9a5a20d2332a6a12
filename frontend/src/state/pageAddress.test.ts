import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { pageAddress } from './pageAddress';

let address: ReturnType<typeof pageAddress>;

beforeEach(() => {
  vi.useFakeTimers();
  history.replaceState(null, '', '/dashboard?a=1');
  address = pageAddress();
});
afterEach(() => {
  address.close();
  vi.useRealTimers();
});

it('starts with what the page was opened with', () => {
  expect(address.get()).toBe('a=1');
});

it('takes a step at once', () => {
  const before = history.length;
  address.write('a=2', false);
  expect([location.pathname, location.search]).toEqual(['/dashboard', '?a=2']);
  expect(history.length).toBe(before + 1);
});

it('writes what is dragged once it rests, without a step', () => {
  const before = history.length;
  for (const value of ['2', '3', '4']) address.write(`a=${value}`, true);
  expect([address.get(), location.search]).toEqual(['a=4', '?a=1']);
  vi.runAllTimers();
  expect(location.search).toBe('?a=4');
  expect(history.length).toBe(before);
});

it('keeps what was dragged when a step follows', () => {
  address.write('a=2', true);
  address.write('a=3', false);
  vi.useRealTimers();
  history.back();
  return vi.waitFor(() => expect(address.get()).toBe('a=2'));
});

it('tells who listens, once for each change', () => {
  const heard = vi.fn();
  const stop = address.subscribe(heard);
  address.write('a=2', true);
  address.write('a=2', true);
  expect(heard).toHaveBeenCalledTimes(1);
  stop();
  address.write('a=3', true);
  expect(heard).toHaveBeenCalledTimes(1);
});
