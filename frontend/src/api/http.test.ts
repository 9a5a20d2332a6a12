import { expect, it, onTestFinished, vi } from 'vitest';
import { httpTransport } from './http';

it.each([
  ['a missing token', 403, { 'WWW-Authenticate': 'Bearer' }, 'locked'],
  ['another refusal', 403, {}, 'ready'],
  ['an answer', 200, {}, 'ready'],
])('%s is told from what else may be', async (_, status, headers, state) => {
  vi.stubGlobal('fetch', async () => new Response('{}', { status, headers }));
  onTestFinished(() => void vi.unstubAllGlobals());
  const { fetch, connection, base } = httpTransport('http://a.test/user/ada/proxy/1/?sample=3');
  expect(base).toBe('http://a.test/user/ada/proxy/1');
  await fetch(new Request('http://a.test/'));
  expect(connection?.get()).toBe(state);
});
