import { describe, expect, it, vi } from 'vitest';
import { createApi } from './client';
import { createExplainer } from './explain';
import { Failure } from './failure';
import { fakeTransport } from './fake';
import type { AttributionRequest } from './schema';
import { Slots } from './slots';

const request: AttributionRequest = {
  sample: 0,
  method: 'Saliency',
  arguments: {},
  model: 0,
  target: null,
  baseline: 0,
};

function setUp(scenario: string, limit = 8) {
  const transport = fakeTransport(scenario);
  const slots = new Slots(limit);
  const explain = createExplainer(createApi(transport, 'tab'), slots);
  const sent = (method: string) => transport.log.filter((line) => line.startsWith(method)).length;
  return { transport, explain, sent, slots };
}

const live = () => new AbortController().signal;

describe('explain', () => {
  it('polls until the job is done and reports how far it is', async () => {
    const { explain, sent } = setUp('images');
    const onProgress = vi.fn();
    const attribution = await explain(request, live(), onProgress);
    expect(attribution).toMatchObject({ sample: 0, method: 'Saliency' });
    expect(onProgress.mock.calls[0]?.[0]).toMatchObject({ state: 'running', done: 0, total: 1 });
    expect([sent('POST'), sent('GET'), sent('DELETE')]).toEqual([1, 1, 0]);
  });

  it('throws what the server says of a failed job', async () => {
    const { explain } = setUp('errors');
    const failed = explain({ ...request, sample: 1 }, live(), vi.fn());
    await expect(failed).rejects.toMatchObject({
      type: 'OutOfMemoryError',
      hint: expect.stringContaining('smaller'),
    });
  });

  it('says that the server does not answer', async () => {
    const { explain } = setUp('gone');
    await expect(explain(request, live(), vi.fn())).rejects.toEqual(Failure.unreachable());
  });

  it('tells the server when nobody waits any more', async () => {
    const { explain, sent } = setUp('slow');
    const abort = new AbortController();
    const waiting = explain(request, abort.signal, () => abort.abort());
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(sent('DELETE')).toBe(1);
  });

  it('does not cancel a job that another one still waits for', async () => {
    const { explain, sent } = setUp('images');
    const abort = new AbortController();
    const left = explain(request, abort.signal, () => abort.abort());
    const stays = explain(request, live(), vi.fn());
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    await expect(stays).resolves.toMatchObject({ sample: 0 });
    expect(sent('DELETE')).toBe(0);
  });

  it('has what is looked at computed first, also when it waits already', async () => {
    const { explain, transport, slots } = setUp('images');
    slots.look(1);
    await explain({ ...request, sample: 1 }, live(), vi.fn());
    await explain(request, live(), () => slots.look(0));
    const asked = transport.log.filter((line) => line.startsWith('POST'));
    expect(asked.map((line) => line.endsWith('first'))).toEqual([true, false, true]);
  });

  it('asks again where the server gave up, as nobody seemed to wait', async () => {
    const { explain, transport, sent } = setUp('images');
    const giveUp = vi.fn().mockImplementationOnce((job) => createApi(transport, 'tab').cancel(job.id));
    await expect(explain(request, live(), giveUp)).resolves.toMatchObject({ sample: 0 });
    expect(sent('POST')).toBe(2);
  });

  it('asks again after a cancellation, never overtaking it', async () => {
    const { explain, transport } = setUp('images');
    const abort = new AbortController();
    await expect(explain(request, abort.signal, () => abort.abort())).rejects.toThrow();
    await expect(explain(request, live(), vi.fn())).resolves.toMatchObject({ sample: 0 });
    const order = transport.log.map((line) => line.split(' ')[0]);
    expect(order).toEqual(['POST', 'DELETE', 'POST', 'GET']);
  });
});

describe('Slots', () => {
  it('runs no more than its limit, but what is looked at beside them', async () => {
    const slots = new Slots(1);
    const started: number[] = [];
    const release: (() => void)[] = [];
    const task = (tag: number) =>
      slots.run(tag, live(), () => {
        started.push(tag);
        return new Promise<void>((resolve) => release.push(resolve));
      });
    const all = [task(1), task(2), task(3)];
    await vi.waitFor(() => expect(started).toEqual([1]));
    slots.look(3);
    await vi.waitFor(() => expect(started).toEqual([1, 3]));
    all.push(task(3));
    await vi.waitFor(() => expect(started).toEqual([1, 3, 3]));
    for (const each of release.splice(0, 2)) each();
    expect(started).toEqual([1, 3, 3]);
    release.shift()?.();
    await vi.waitFor(() => expect(started).toEqual([1, 3, 3, 2]));
    release.shift()?.();
    await Promise.all(all);
  });

  it('forgets a task that is aborted while it waits', async () => {
    const slots = new Slots(0);
    const abort = new AbortController();
    const task = vi.fn();
    const waiting = slots.run(1, abort.signal, task);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(task).not.toHaveBeenCalled();
  });
});
