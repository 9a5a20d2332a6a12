import { QueryObserver } from '@tanstack/react-query';
import { expect, it, vi } from 'vitest';
import { Failure } from '../api/failure';
import { fakeTransport } from '../api/fake';
import { createServices } from './services';

it('asks again for what found no server, once anything is answered', async () => {
  const { queries } = createServices(fakeTransport('images'));
  let there = false;
  const queryFn = vi.fn(async () => {
    if (!there) throw Failure.unreachable();
    return 'a map';
  });
  const observer = new QueryObserver(queries, { queryKey: ['map'], queryFn, retry: false });
  const leave = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().isError).toBe(true));
  there = true;
  await queries.fetchQuery({ queryKey: ['other'], queryFn: async () => 'an answer' });
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe('a map'));
  expect(queryFn).toHaveBeenCalledTimes(2);
  leave();
});
