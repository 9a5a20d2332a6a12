import type { Api } from './client';
import { Failure } from './failure';
import type { Attribution, AttributionRequest, Job } from './schema';
import type { Slots } from './slots';

const FIRST_PAUSE = 120; // ms
const LONGEST_PAUSE = 1000;

/** Asks for an explanation and waits for it; tells the server when nobody waits any more. */
export function createExplainer(api: Api, slots: Slots) {
  const leaving = new Map<string, Promise<unknown>>();

  async function follow(request: AttributionRequest, signal: AbortSignal, onProgress: (job: Job) => void) {
    const key = JSON.stringify(request);
    await leaving.get(key); // a cancellation under way must not overtake the new request
    let job = await api.explain(request);
    try {
      for (let pause = FIRST_PAUSE; isUnfinished(job); pause = Math.min(pause * 1.4, LONGEST_PAUSE)) {
        onProgress(job);
        await sleep(pause, signal);
        job = await api.job(job.id, signal);
      }
    } catch (error) {
      if (signal.aborted) leave(key, job.id);
      throw error;
    }
    return attributionOf(job);
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
  return job.state === 'queued' || job.state === 'running';
}

function attributionOf(job: Job): Attribution {
  if (job.attribution) return job.attribution;
  if (job.error) throw new Failure(job.error);
  throw new Failure({ type: 'Cancelled', message: 'This explanation was cancelled.', hint: '' });
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
