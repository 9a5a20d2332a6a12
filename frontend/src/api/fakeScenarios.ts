import { GRID, LAYERS, METHODS, OFFERS } from './fakeMethods';
import type {
  ApiError,
  Attribution,
  AttributionMap,
  AttributionRequest,
  FeatureInfo,
  LayerAttribution,
  ModelLayers,
  ModelMethods,
  Sample,
  Workspace,
} from './schema';

/** A world for the fake transport to answer from. */
export interface Scenario {
  workspace: Workspace;
  layers: ModelLayers;
  offers: ModelMethods;
  total: number;
  size: number | null;
  perAnswer: number;
  steps: number;
  unreachable: boolean;
  readError?: { at: number; error: ApiError };
  sample(index: number): Sample;
  jobError(request: AttributionRequest): ApiError | null;
  attribution(request: AttributionRequest, job: string): Attribution;
  values(request: AttributionRequest, feature: number, side?: number): Float32Array;
  picture(index: number, feature: number): { pixels: Float32Array; size: number };
}

interface Options {
  features: FeatureInfo[];
  classes: string[];
  models: string[];
  task: Workspace['task'];
  pixels: number;
  channels: number;
  /** Functions of the outputs, by name. */
  targets: string[];
  /** The tokens of every text; undefined: some words. */
  tokens?: string[];
  labelled: boolean;
  total: number;
  size: number | null;
  perAnswer: number;
  steps: number;
  unreachable: boolean;
  nonfinite: boolean;
  failing: boolean;
  readError?: { at: number; error: ApiError };
}

const IMAGE: FeatureInfo = { name: 'Photo', kind: 'image', baselines: ['black', 'blurred'] };
const TEXT: FeatureInfo = { name: 'Review', kind: 'text', baselines: ['padding'] };
const TABLE: FeatureInfo = { name: 'Passenger', kind: 'general', baselines: ['zeros', 'mean'] };
const EMPTY: FeatureInfo = { name: 'Empty', kind: 'empty', baselines: [] };
const SHAPES = ['circle', 'square', 'cross', 'ring', 'stripe', 'corner'];
const WORDS =
  'the film is a quietly moving and often very funny story but its dull second half never quite earns the tears it asks for'.split(
    ' ',
  );
const PIECES =
  '[CLS] the un ##believ ##ably fun ##ny film never earn ##s its tear ##s . it is quiet ##ly mov ##ing ! [SEP]'.split(
    ' ',
  );
const COLUMNS = [
  'age',
  'sibsp',
  'parch',
  'fare',
  'female',
  'male',
  'embark C',
  'embark Q',
  'embark S',
  'class 1',
];

const IMAGES: Options = {
  features: [IMAGE],
  classes: SHAPES,
  models: ['Small net'],
  task: 'classification',
  pixels: 96,
  channels: 3,
  labelled: true,
  total: 400,
  size: 400,
  perAnswer: 400,
  steps: 1,
  unreachable: false,
  nonfinite: false,
  failing: false,
  targets: [],
};

const BROKEN: ApiError = {
  type: 'OutOfMemoryError',
  message: 'Integrated Gradients ran out of memory on cuda:0 with a batch of 64.',
  hint: 'Use a smaller internal batch size, or a smaller number of steps.',
};

const VARIANTS: Record<string, Partial<Options>> = {
  images: {},
  tiny: { pixels: 8 },
  targets: { targets: ['margin'] },
  text: { features: [TEXT], classes: ['negative', 'positive'] },
  pieces: { features: [TEXT], classes: ['negative', 'positive'], tokens: PIECES },
  general: { features: [TABLE], classes: ['drowned', 'survived'] },
  multimodal: {
    features: [IMAGE, { ...TEXT, name: 'Question' }, TABLE, { name: 'Mask', kind: 'empty', baselines: [] }],
  },
  models: { models: ['MobileNetV2', 'SqueezeNet'] },
  namesakes: {
    features: [IMAGE, EMPTY, EMPTY, TABLE, TABLE],
    classes: ['cat', 'cat', 'dog'],
    models: ['Net', 'Net'],
  },
  many: {
    classes: Array.from({ length: 1000 }, (_, i) => `${SHAPES[i % 6]} of kind ${i}`),
    total: Number.POSITIVE_INFINITY,
    size: null,
    perAnswer: 1000,
  },
  errors: {
    failing: true,
    readError: {
      at: 60,
      error: {
        type: 'OSError',
        message: 'Sample 60 could not be read: image file is truncated.',
        hint: 'Remove or replace it.',
      },
    },
  },
  slow: { steps: 40, total: 12_000, size: 12_000, perAnswer: 60 },
  unlabelled: { labelled: false },
  empty: { total: 0, size: 0 },
  nonfinite: { nonfinite: true, pixels: 16 },
  regression: { features: [TABLE], classes: ['price'], task: 'regression' },
  gone: { unreachable: true },
};

/** The world of that name; the one of images for a name that is not known. */
export function scenario(name: string): Scenario {
  const options: Options = { ...IMAGES, ...VARIANTS[name] };
  const { total, size, perAnswer, steps, unreachable, readError } = options;
  return {
    workspace: workspaceOf(name, options),
    layers: LAYERS,
    offers: OFFERS,
    total,
    size,
    perAnswer,
    steps,
    unreachable,
    ...(readError && { readError }),
    sample: (index) => sampleOf(index, options),
    jobError: ({ sample }) => (options.failing && sample % 4 === 1 ? BROKEN : null),
    attribution: (request, job) => attributionOf(request, job, options),
    values: (request, _, side = options.pixels) => valuesOf(request, { ...options, pixels: side }),
    picture: (index) => ({ pixels: pictureOf(index, options.pixels), size: options.pixels }),
  };
}

function workspaceOf(name: string, { task, classes, models, features, targets }: Options): Workspace {
  return {
    revision: 1,
    title: `Generated data: ${name}`,
    version: '0.0.0',
    task,
    classes,
    named: classes.length,
    models: models.map((each) => ({
      name: each,
      device: 'cpu',
      parameters: 12_122,
      default_layer: null,
      outputs: classes.length,
      task,
    })),
    features,
    methods: METHODS,
    targets,
    default_method: 'IntegratedGradients',
    default_reason: '',
    default_order: task === 'regression' ? 'index' : 'mistakes',
    explains_label: true,
    scan_step: 2000,
    scan_all_below: 10_000,
  };
}

function sampleOf(index: number, options: Options): Sample {
  const random = randomOf(index);
  const { classes, labelled, models, features, failing, task } = options;
  const regression = task === 'regression';
  const truth = Math.floor(random() * classes.length);
  const error =
    failing && index % 7 === 2
      ? { ...BROKEN, type: 'TransformError', message: 'The transform failed.' }
      : null;
  return {
    index,
    truth: regression && labelled ? VALUE : null,
    label: labelled && !regression ? { index: truth, name: classes[truth] ?? '' } : null,
    predictions: error ? [] : models.map((_, model) => predictionOf(model, truth, random, options)),
    inputs: features.map((feature, i) => inputOf(feature, index, i, options)),
    error,
  };
}

const VALUE = 0.85; // what is true of every sample of the regression

function predictionOf(model: number, truth: number, random: () => number, options: Options) {
  const { classes, labelled, task } = options;
  const wrong = classes.length > 1 && random() < 0.12;
  const best = wrong ? (truth + 1 + Math.floor(random() * (classes.length - 1))) % classes.length : truth;
  const confidence = wrong ? 0.4 + 0.5 * random() : 0.7 + 0.3 * random();
  const others = classes.map((_, i) => i).filter((i) => i !== best);
  const near = wrong ? [truth, ...others.filter((i) => i !== truth)] : others;
  const ranked = [best, ...near].slice(0, 10);
  const scored = ranked.map((index, i) => ({
    index,
    name: classes[index] ?? '',
    score: i === 0 ? confidence : (1 - confidence) / 2 ** i,
  }));
  if (task === 'regression') {
    const residual = labelled ? confidence - VALUE : null;
    return { model, predicted: null, classes: scored, correct: null, residual };
  }
  const predicted = { index: best, name: classes[best] ?? '' };
  return { model, predicted, classes: scored, correct: labelled ? best === truth : null, residual: null };
}

function inputOf(
  feature: FeatureInfo,
  index: number,
  place: number,
  { pixels, tokens }: Options,
): Sample['inputs'][number] {
  const { name, kind } = feature;
  const random = randomOf(index + 7);
  if (kind === 'image') {
    return {
      kind,
      name,
      url: `api/samples/${index}/media/${place}`,
      width: pixels,
      height: pixels,
      note: null,
    };
  }
  if (kind === 'text') return { kind, name, tokens: tokens ?? WORDS.slice(0, 8 + Math.floor(random() * 15)) };
  if (kind === 'general')
    return { kind, name, categories: COLUMNS, values: COLUMNS.map(() => round(40 * random())) };
  return { kind, name };
}

function attributionOf(request: AttributionRequest, job: string, options: Options): Attribution {
  const sample = sampleOf(request.sample, options);
  const prediction = sample.predictions[request.model ?? 0];
  const fallback = sample.label ?? prediction?.predicted ?? { index: 0, name: options.classes[0] ?? '' };
  const classOf = (index: number) => ({ index, name: options.classes[index] ?? '' });
  const target =
    typeof request.target === 'number'
      ? classOf(request.target)
      : request.target
        ? { index: null, name: request.target }
        : fallback;
  const against = typeof request.against === 'number' ? classOf(request.against) : null;
  const random = randomOf(request.sample * 31 + (target.index ?? 0));
  const complete = request.method === 'IntegratedGradients';
  const delta = request.sample % 3 === 0 ? 0.41 : 0.012;
  const cancels = request.sample % 7 === 4;
  return {
    sample: request.sample,
    model: request.model ?? 0,
    method: request.method,
    target,
    against,
    explained: against ? `${target.name} − ${against.name}` : target.name,
    layer: typeof request.layer === 'string' ? layerOf(request.layer, request, job, options) : null,
    output: 5.31,
    seconds: 0.042,
    signed: request.method !== 'Saliency',
    completeness: complete
      ? {
          total: 5.12 + delta,
          change: 5.12,
          delta,
          adds_up: delta < 0.05 * 5.12,
          cancellation: cancels ? 63.2 : 1.3,
          cancels,
        }
      : null,
    warnings:
      request.sample % 5 === 0 ? ['The input lies close to the baseline: small numbers, much noise.'] : [],
    inputs: sample.inputs.map((input, place) => {
      const contribution = { total: round(2 * random() - 0.5), share: [0.62, 0.25, 0.11, 0.02][place] ?? 0 };
      const { kind, name } = input;
      if (kind === 'image') return { kind, name, contribution, maps: mapsOf(request, job, place, options) };
      const weigh = () => round(2 * (random() - 0.45) ** 3 * 4);
      if (kind === 'text') return { kind, name, contribution, weights: input.tokens.map(weigh) };
      if (kind === 'general') return { kind, name, contribution, weights: input.values.map(weigh) };
      return { kind, name, contribution };
    }),
  };
}

function mapsOf(request: AttributionRequest, job: string, place: number, options: Options): AttributionMap[] {
  const { channels } = options;
  const reductions = request.layer
    ? ['sum']
    : ['sum', 'magnitude', ...Array.from({ length: channels }, (_, i) => `${i}`)];
  const url = (reduction: string) => `api/attributions/${job}/maps/${place}/${reduction}`;
  return reductions.map((reduction) => mapOf(request, reduction, url(reduction), options));
}

function mapOf(
  request: AttributionRequest,
  reduction: string,
  url: string,
  options: Options,
): AttributionMap {
  const values = valuesOf(request, options).filter(Number.isFinite);
  const { pixels } = options;
  return {
    reduction,
    unit: request.layer ? 'layer' : 'pixel',
    url,
    height: pixels,
    width: pixels,
    scale: 0.05,
    minimum: 0.05 * values.reduce((a, b) => Math.min(a, b), 0),
    maximum: 0.05 * values.reduce((a, b) => Math.max(a, b), 0),
    nonfinite: pixels * pixels - values.length,
  };
}

function layerOf(name: string, request: AttributionRequest, job: string, options: Options): LayerAttribution {
  const strongest = [12, 3, 30].map((index, i) => ({
    index,
    total: 0.9 / (i + 1),
    map: mapOf(request, `${index}`, `api/attributions/${job}/maps/0/${index}`, { ...options, pixels: GRID }),
  }));
  return { name, shape: [32, GRID, GRID], input: 0, grid: [GRID, GRID], channels: 32, strongest };
}

/** A bump of each sign, where the picture has its shape. */
function valuesOf(request: AttributionRequest, { pixels, nonfinite }: Options): Float32Array {
  const random = randomOf(request.sample * 13 + Number(request.target ?? 0));
  const bumps = Array.from({ length: 5 }, (_, i) => ({ x: random(), y: random(), sign: i % 2 ? -1 : 1 }));
  return Float32Array.from({ length: pixels * pixels }, (_, i) => {
    if (nonfinite && i % 37 === 5) return Number.NaN;
    const [x, y] = [(i % pixels) / pixels, Math.floor(i / pixels) / pixels];
    const bump = bumps.reduce(
      (sum, b) => sum + b.sign * Math.exp(-60 * ((x - b.x) ** 2 + (y - b.y) ** 2)),
      0,
    );
    return bump + 0.25 * bump * (random() - 0.5);
  });
}

function pictureOf(index: number, pixels: number): Float32Array {
  const random = randomOf(index + 3);
  const [cx, cy, hue] = [0.3 + 0.4 * random(), 0.3 + 0.4 * random(), random()];
  const image = new Float32Array(3 * pixels * pixels);
  for (let i = 0; i < pixels * pixels; i++) {
    const [x, y] = [(i % pixels) / pixels - cx, Math.floor(i / pixels) / pixels - cy];
    const ring = Math.exp(-((Math.hypot(x, y) - 0.22) ** 2) * 120);
    const ground = 0.25 + 0.2 * Math.sin(9 * x + 5 * hue) * Math.cos(7 * y);
    for (let c = 0; c < 3; c++) {
      const tint = 0.5 + 0.5 * Math.cos(6.3 * (hue + c / 3));
      image[3 * i + c] = Math.min(1, Math.max(0, ground + 0.7 * ring * tint));
    }
  }
  return image;
}

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
