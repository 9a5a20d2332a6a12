import type { Api } from './client';
import { Failure } from './failure';
import type { Attribution, AttributionRequest, Job } from './schema';
import type { Slots } from './slots';

const FIRST_PAUSE = 120; // ms
const LONGEST_PAUSE = 1000;

/**
 * Asks for an explanation and waits for it; tells the server when nobody waits any more, and asks again where the
 * server gave up first: a browser lets a page that nobody sees ask only now and then.
 */
export function createExplainer(api: Api, slots: Slots) {
  const followers = new Map<string, number>(); // how many wait for the same request
  const leaving = new Map<string, Promise<unknown>>(); // cancellations that a new request must not overtake

  async function follow(request: AttributionRequest, signal: AbortSignal, onProgress: (job: Job) => void) {
    const key = JSON.stringify(request);
    followers.set(key, (followers.get(key) ?? 0) + 1);
    let job: Job | undefined;
    try {
      await leaving.get(key);
      let first = slots.isLookedAt(request.sample);
      job = await api.explain(request, first);
      for (let pause = FIRST_PAUSE; isUnfinished(job); pause = Math.min(pause * 1.4, LONGEST_PAUSE)) {
        onProgress(job);
        await sleep(pause, signal);
        const raise = !first && slots.isLookedAt(request.sample);
        first ||= raise;
        const again: boolean = raise || job.state === 'cancelled';
        job = await (again ? api.explain(request, first) : api.job(job.id, signal));
      }
      return attributionOf(job);
    } finally {
      const others = (followers.get(key) ?? 1) - 1;
      followers.set(key, others);
      if (others === 0) followers.delete(key);
      if (others === 0 && signal.aborted && job && isUnfinished(job)) leave(key, job.id);
    }
  }

  function leave(key: string, id: string): void {
    const left = api.cancel(id).catch(() => undefined);
    leaving.set(
      key,
      left.finally(() => leaving.delete(key)),
    );
  }

  return (request: AttributionRequest, signal: AbortSignal, onProgress: (job: Job) => void) =>
    slots.run(request.sample, signal, () => follow(request, signal, onProgress));
}

export type Explainer = ReturnType<typeof createExplainer>;

function isUnfinished(job: Job): boolean {
  return job.state !== 'done' && job.state !== 'failed';
}

function attributionOf(job: Job): Attribution {
  if (job.attribution) return job.attribution;
  throw new Failure(job.error ?? { type: 'Error', message: 'There is no explanation.', hint: '' });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
