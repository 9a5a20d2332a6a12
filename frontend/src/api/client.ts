import createClient from 'openapi-fetch';
import { decodeFloat16 } from '../base/float16';
import { Failure } from './failure';
import type {
  Attribution,
  AttributionRequest,
  Job,
  ModelLayers,
  ModelMethods,
  operations,
  Price,
  paths,
  Sample,
  SamplePage,
  Summary,
  Workspace,
} from './schema';
import type { Transport } from './transport';

export type SampleInput = Sample['inputs'][number];
export type InputAttribution = Attribution['inputs'][number];
type SampleQuery = NonNullable<operations['samples']['parameters']['query']>;
type SummaryQuery = NonNullable<operations['summary']['parameters']['query']>;

/** Every request of the contract; all of them throw `Failure`. */
export interface Api {
  workspace(signal?: AbortSignal): Promise<Workspace>;
  layers(model: number, signal?: AbortSignal): Promise<ModelLayers>;
  methods(model: number, signal?: AbortSignal): Promise<ModelMethods>;
  price(request: AttributionRequest, signal?: AbortSignal): Promise<Price>;
  samples(query: SampleQuery, signal?: AbortSignal): Promise<SamplePage>;
  sample(index: number, signal?: AbortSignal): Promise<Sample>;
  summary(query: SummaryQuery, signal?: AbortSignal): Promise<Summary>;
  /** `first`: ahead of all that waits, as the user is looking at it. */
  explain(request: AttributionRequest, first: boolean): Promise<Job>;
  job(id: string, signal?: AbortSignal): Promise<Job>;
  cancel(id: string): Promise<Job>;
  map(url: string, signal?: AbortSignal): Promise<Float32Array>;
  /** An address that an <img> can load; undefined where the bytes have to be fetched by `picture`. */
  address(url: string): string | undefined;
  picture(url: string, signal?: AbortSignal): Promise<string>;
}

/** The client of one tab: `client` names it, so that the server knows when nobody waits for a job any more. */
export function createApi(transport: Transport, client: string = randomName()): Api {
  const http = createClient<paths>({ baseUrl: transport.base, fetch: (request) => transport.fetch(request) });
  const query = { client };

  async function bytes(url: string, signal?: AbortSignal): Promise<Response> {
    const request = new Request(new URL(url, `${transport.base}/`), { signal: signal ?? null });
    const response = await transport.fetch(request).catch(rethrow);
    if (!response.ok) throw Failure.fromAnswer(await response.json().catch(() => null), response);
    return response;
  }

  return {
    workspace: (signal) => answer(http.GET('/api/workspace', { signal })),
    layers: (model, signal) =>
      answer(http.GET('/api/models/{model}/layers', { params: { path: { model } }, signal })),
    methods: (model, signal) =>
      answer(http.GET('/api/models/{model}/methods', { params: { path: { model } }, signal })),
    price: (body, signal) => answer(http.POST('/api/price', { body, signal })),
    samples: (query, signal) => answer(http.GET('/api/samples', { params: { query }, signal })),
    sample: (sample, signal) =>
      answer(http.GET('/api/samples/{sample}', { params: { path: { sample } }, signal })),
    summary: (query, signal) => answer(http.GET('/api/summary', { params: { query }, signal })),
    explain: (body, first) =>
      answer(http.POST('/api/attributions', { body, params: { query: { ...query, first } } })),
    job: (job, signal) =>
      answer(http.GET('/api/attributions/{job}', { params: { path: { job }, query }, signal })),
    cancel: (job) =>
      answer(http.DELETE('/api/attributions/{job}', { params: { path: { job }, query }, keepalive: true })),
    map: async (url, signal) => decodeFloat16(await (await bytes(url, signal)).arrayBuffer()),
    address: (url) => (transport.direct ? new URL(url, `${transport.base}/`).href : undefined),
    picture: async (url, signal) => dataUrl(await (await bytes(url, signal)).blob()),
  };
}

async function answer<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch(rethrow);
  if (data === undefined) throw Failure.fromAnswer(error, response);
  return data;
}

function rethrow(error: unknown): never {
  if (error instanceof DOMException && error.name === 'AbortError') throw error;
  throw error instanceof TypeError ? Failure.unreachable() : Failure.from(error);
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(Failure.from(reader.error));
    reader.readAsDataURL(blob);
  });
}

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join('');
}
