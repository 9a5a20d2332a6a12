import { bitmap, encodeFloat16 } from './fakeBytes';
import { GRID } from './fakeMethods';
import type { Scenario } from './fakeScenarios';
import { scenario } from './fakeScenarios';
import type {
  ApiError,
  AttributionRequest,
  Histogram,
  Job,
  Price,
  Progress,
  Sample,
  SamplePage,
  Summary,
} from './schema';
import type { Transport } from './transport';

const BASE = 'http://fake.invalid';
const BINS = 20;

/** Answers the contract with generated data: for tests, and for `npm run dev` with ?fake=NAME. */
export function fakeTransport(name: string): Transport & { log: string[] } {
  const world = new World(scenario(name));
  const log: string[] = [];
  return {
    base: BASE,
    direct: false,
    log,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      log.push(`${request.method} ${pathname}${searchParams.get('first') === 'true' ? ' first' : ''}`);
      if (world.scenario.unreachable) throw new TypeError('Failed to fetch');
      return world.answer(request);
    },
  };
}

interface RunningJob {
  request: AttributionRequest;
  done: number;
  cancelled: boolean;
}

/** The state of a server over a scenario: how far it has scanned, and its jobs. */
class World {
  private scanned = 0;
  private target = 0;
  private readonly jobs = new Map<string, RunningJob>();

  constructor(readonly scenario: Scenario) {}

  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const [, resource, id, kind, feature, reduction] = url.pathname.slice(1).split('/');
    if (resource === 'workspace') return Response.json(this.scenario.workspace);
    if (kind === 'media') return this.media(Number(id), Number(feature));
    if (resource === 'samples' && id !== undefined) return this.one(Number(id));
    if (resource === 'samples') return Response.json(this.page(url.searchParams));
    if (resource === 'models')
      return Response.json(kind === 'layers' ? this.scenario.layers : this.scenario.offers);
    if (resource === 'price') return Response.json(await this.price(request));
    if (resource === 'summary') return Response.json(this.summary(url.searchParams));
    if (resource !== 'attributions') return refuse(404, 'NotFound', `There is no ${url.pathname}.`);
    if (request.method === 'POST') return Response.json(this.explain(await request.json()));
    const job = this.jobs.get(id ?? '');
    if (!id || !job) return refuse(404, 'UnknownJob', `There is no job ${id}.`);
    if (kind === 'maps') return this.map(job, Number(feature), reduction ?? '');
    if (request.method === 'DELETE') job.cancelled = true;
    else job.done += 1;
    return Response.json(this.describe(id, job));
  }

  private read(query: URLSearchParams): Sample[] {
    const { total, perAnswer, readError } = this.scenario;
    this.target = Math.max(this.target, Number(query.get('scan_to') ?? 0));
    const end = readError ? Math.min(total, readError.at) : total;
    this.scanned = Math.min(end, Math.max(this.scanned, Math.min(this.target, this.scanned + perAnswer)));
    return Array.from({ length: this.scanned }, (_, i) => this.scenario.sample(i));
  }

  private progress(samples: Sample[]): Progress {
    const { total, size, readError } = this.scenario;
    const ended = this.scanned >= total || (readError !== undefined && this.scanned >= readError.at);
    return {
      workspace: this.scenario.workspace.revision,
      scanned: this.scanned,
      size,
      exhausted: ended,
      scanning: !ended && this.scanned < this.target,
      labelled: samples.filter((sample) => sample.label).length,
      failed: samples.filter((sample) => sample.error).length,
      unreadable: 0,
      changed_models: [],
      error: readError && ended ? readError.error : null,
    };
  }

  private page(query: URLSearchParams): SamplePage {
    const all = this.read(query);
    const matching = ordered(filtered(all, query), query.get('order') ?? 'index', modelOf(query));
    const start = Number(query.get('cursor') ?? 0);
    const end = start + Number(query.get('limit') ?? 24);
    return {
      samples: matching.slice(start, end),
      next_cursor: end < matching.length ? String(end) : null,
      matched: matching.length,
      progress: this.progress(all),
    };
  }

  private one(index: number): Response {
    if (index < this.scenario.total) return Response.json(this.scenario.sample(index));
    return refuse(404, 'UnknownSample', `There is no sample ${index}.`);
  }

  private summary(query: URLSearchParams): Summary {
    const all = this.read(query);
    const model = modelOf(query);
    const outcome = (correct: boolean | null) => all.filter((each) => correctness(each, model) === correct);
    return {
      matched: filtered(all, query).length,
      correct: outcome(true).length,
      incorrect: outcome(false).length,
      unlabelled: outcome(null).length,
      ...counted(all, this.scenario.workspace.classes, model),
      scores: histogram(all, model),
      mean_absolute_error: meanError(all, model),
      progress: this.progress(all),
    };
  }

  private explain(request: AttributionRequest): Job {
    const id = encodeURIComponent(btoa(JSON.stringify(request)).replaceAll('/', '_').replaceAll('=', ''));
    const job = this.jobs.get(id);
    if (!job || job.cancelled) this.jobs.set(id, { request, done: 0, cancelled: false });
    return this.describe(id, this.jobs.get(id) as RunningJob);
  }

  private describe(id: string, { request, done, cancelled }: RunningJob): Job {
    const total = this.scenario.steps;
    const error = this.scenario.jobError(request);
    const finished = done >= total;
    const state = cancelled ? 'cancelled' : !finished ? 'running' : error ? 'failed' : 'done';
    return {
      id,
      state,
      done: Math.min(done, total),
      total,
      elapsed: done,
      remaining: total - done,
      ahead: 0,
      attribution: state === 'done' ? this.scenario.attribution(request, id) : null,
      error: state === 'failed' ? error : null,
    };
  }

  private map({ request }: RunningJob, feature: number, reduction: string): Response {
    const side = request.layer && Number(reduction) >= 0 ? GRID : undefined;
    return new Response(encodeFloat16(this.scenario.values(request, feature, side)));
  }

  private async price(request: Request): Promise<Price> {
    const { arguments: given }: AttributionRequest = await request.json();
    const forward = Number(given?.n_steps ?? 50);
    return { forward, backward: forward, seconds: 0.042 * forward, at_least: false };
  }

  private media(index: number, feature: number): Response {
    const { pixels, size } = this.scenario.picture(index, feature);
    return new Response(bitmap(pixels, size), { headers: { 'content-type': 'image/bmp' } });
  }
}

function refuse(status: number, type: string, message: string): Response {
  return Response.json({ type, message, hint: '' } satisfies ApiError, { status });
}

function modelOf(query: URLSearchParams): number {
  return Number(query.get('model') ?? 0);
}

function predictionOf(sample: Sample, model: number) {
  return sample.predictions.find((each) => each.model === model);
}

function correctness(sample: Sample, model: number): boolean | null {
  return predictionOf(sample, model)?.correct ?? null;
}

function filtered(samples: Sample[], query: URLSearchParams): Sample[] {
  const model = modelOf(query);
  const predicted = query.getAll('predicted').map(Number);
  const actual = query.getAll('actual').map(Number);
  const outcome = query.get('outcome') ?? 'all';
  const [from, below] = [query.get('score_from'), query.get('score_below')];
  return samples.filter((sample) => {
    const best = predictionOf(sample, model)?.classes[0]?.score ?? Number.NaN;
    if ((from && !(best >= Number(from))) || (below && !(best < Number(below)))) return false;
    const taken = predictionOf(sample, model)?.predicted?.index ?? -1;
    if (predicted.length && !predicted.includes(taken)) return false;
    if (actual.length && !actual.includes(sample.label?.index ?? -1)) return false;
    return outcome === 'all' || correctness(sample, model) === (outcome === 'correct');
  });
}

function ordered(samples: Sample[], order: string, model: number): Sample[] {
  const best = (sample: Sample) => predictionOf(sample, model)?.classes[0]?.score ?? 0;
  const wrong = (sample: Sample) =>
    correctness(sample, model) === false ? 1 : Math.abs(predictionOf(sample, model)?.residual ?? 0);
  if (order === 'mistakes') return [...samples].sort((a, b) => wrong(b) - wrong(a) || best(b) - best(a));
  if (order === 'confident') return [...samples].sort((a, b) => best(b) - best(a));
  if (order === 'uncertain') return [...samples].sort((a, b) => best(a) - best(b));
  return samples;
}

function counted(
  samples: Sample[],
  classes: string[],
  model: number,
): Pick<Summary, 'classes' | 'confusion'> {
  const counts = classes.map((name, index) => ({ index, name, predicted: 0, actual: 0 }));
  const pairs = new Map<number, number>();
  for (const sample of samples) {
    const taken = counts[predictionOf(sample, model)?.predicted?.index ?? -1];
    const label = counts[sample.label?.index ?? -1];
    if (taken) taken.predicted += 1;
    if (label) label.actual += 1;
    if (!taken || !label) continue;
    const key = label.index * classes.length + taken.index;
    pairs.set(key, (pairs.get(key) ?? 0) + 1);
  }
  const confusion = [...pairs].map(([key, count]) => ({
    actual: Math.floor(key / classes.length),
    predicted: key % classes.length,
    count,
  }));
  return { classes: counts, confusion };
}

function meanError(samples: Sample[], model: number): number | null {
  const residuals = samples.flatMap((sample) => predictionOf(sample, model)?.residual ?? []);
  return residuals.length > 0
    ? residuals.reduce((sum, each) => sum + Math.abs(each), 0) / residuals.length
    : null;
}

function histogram(samples: Sample[], model: number): Histogram | null {
  if (samples.length === 0) return null;
  const empty = () => new Array<number>(BINS).fill(0);
  const result = { low: 0, high: 1, correct: empty(), incorrect: empty(), unlabelled: empty() };
  for (const sample of samples) {
    const score = predictionOf(sample, model)?.classes[0]?.score ?? 0;
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(score * BINS)));
    const correct = correctness(sample, model);
    const group = correct === null ? 'unlabelled' : correct ? 'correct' : 'incorrect';
    result[group][bin] = (result[group][bin] ?? 0) + 1;
  }
  return result;
}
