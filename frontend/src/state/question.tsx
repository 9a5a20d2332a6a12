import type { inferParserType } from 'nuqs/server';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import type { AttributionRequest, MethodInfo, Sample, Workspace } from '../api/schema';
import { useAddress } from './address';
import {
  type Arguments,
  type Baseline,
  type Explained,
  type Order,
  type Outcome,
  questionParsers,
} from './location';
import { useLayers } from './offers';
import { changedArguments } from './parameters';
import { useWorkspace } from './workspace';

export interface Question {
  model: number;
  method: MethodInfo;
  args: Arguments;
  baseline: Baseline;
  outcome: Outcome;
  predicted: number[];
  actual: number[];
  above: number | null;
  below: number | null;
  order: Order;
  scan: number | null;
  sample: number | null;
  /** The class explained of the selected sample, and that which it is explained against. */
  target: number | null;
  against: number | null;
  /** A function of the outputs, explained of every sample in the place of a class. */
  function: string | null;
  /** Where a method at a layer looks: as the address says, or as is usual for the model. */
  layer: string | null;
  /** Whether all is known that the method needs. */
  ready: boolean;
  /** Which class of every sample is explained; null: as the workspace says. */
  explain: Explained | null;
  /** What the address asks for that there is not; something else is shown instead. */
  unknown: { method: string | null; model: number | null; function: string | null };
}

type Raw = inferParserType<typeof questionParsers>;
export type Change = Partial<Raw>;
type Changer = (change: Change, options?: { replace?: boolean }) => void;

/** What the address says, with everything this workspace does not know left out. */
export function readQuestion(raw: Raw, workspace: Workspace): Question {
  const possible = (index: number) => index >= 0; // also labels beyond the outputs
  const fallback = workspace.methods.find((each) => each.name === workspace.default_method);
  const method =
    workspace.methods.find((each) => each.name === raw.method) ?? fallback ?? workspace.methods[0];
  if (!method) throw new Error('The workspace has no attribution method.');
  const baselines = Math.max(0, ...workspace.features.map((feature) => feature.baselines.length));
  return {
    ...raw,
    model: workspace.models[raw.model] ? raw.model : 0,
    method,
    args: changedArguments(method, raw.args),
    function: workspace.targets.includes(raw.function ?? '') ? raw.function : null,
    layer: raw.layer ?? workspace.models[raw.model]?.default_layer ?? null,
    ready: true,
    baseline: raw.baseline === 'mean' || raw.baseline < baselines ? raw.baseline : 0,
    predicted: raw.predicted.filter(possible),
    actual: raw.actual.filter(possible),
    order: raw.order ?? workspace.default_order,
    unknown: {
      method: raw.method !== null && raw.method !== method.name ? raw.method : null,
      model: workspace.models[raw.model] ? null : raw.model,
      function: workspace.targets.includes(raw.function ?? '') ? null : raw.function,
    },
  };
}

type Asked = Pick<Sample, 'index' | 'label' | 'predictions'>;
type Meant = Pick<Required<AttributionRequest>, 'target' | 'against'>;

/** The request for a sample. */
export function requestFor(question: Question, sample: Asked): Required<AttributionRequest> {
  const { model, method, args, baseline } = question;
  return {
    sample: sample.index,
    model,
    ...(method.uses_target ? meantBy(question, sample) : AS_SERVER_CHOOSES),
    layer: method.uses_layer ? question.layer : null,
    neuron: null,
    method: method.name,
    arguments: args,
    baseline,
  };
}

const AS_SERVER_CHOOSES: Meant = { target: null, against: null };

/** What is explained: a function of the outputs, or a class; one chosen for a sample only where it is the selected one. */
function meantBy(question: Question, sample: Asked): Meant {
  const own = question.sample === sample.index;
  if (own && question.target !== null) return { target: question.target, against: question.against };
  if (question.function !== null) return { target: question.function, against: null };
  const usual = usualClass(question, sample);
  return own && question.against !== null ? { ...usual, against: question.against } : usual;
}

/** The class to explain by what is chosen for all; null where the server chooses: nothing is, or no such class is known. */
function usualClass({ explain, model }: Question, { label, predictions }: Asked): Meant {
  const prediction = predictions.find((each) => each.model === model);
  const predicted = prediction?.predicted?.index ?? null;
  const second = prediction?.classes.find(({ index }) => index !== predicted)?.index ?? null;
  const isWrong = label !== null && label.index !== predicted;
  if (explain === 'true') return { target: label?.index ?? predicted, against: null };
  if (explain === 'second') return { target: second ?? predicted, against: null };
  if (explain === 'contrast') return { target: predicted, against: isWrong ? label.index : second };
  return { target: explain === 'predicted' ? predicted : null, against: null };
}

/** Whether a sample passes the filters, by the prediction of the model in question. */
export function passes(
  { model, outcome, predicted, actual, above, below }: Question,
  sample: Sample,
): boolean {
  const prediction = sample.predictions.find((each) => each.model === model);
  const among = (wanted: number[], index: number | undefined) =>
    wanted.length === 0 || (index !== undefined && wanted.includes(index));
  const score = prediction?.classes[0]?.score ?? Number.NaN;
  return (
    (above === null || score >= above) &&
    (below === null || score < below) &&
    (outcome === 'all' || prediction?.correct === (outcome === 'correct')) &&
    among(predicted, prediction?.predicted?.index) &&
    among(actual, sample.label?.index)
  );
}

/** Whether a model can be asked about a sample: another model's failure is no obstacle. */
export function isExplicable(sample: Sample, model: number): boolean {
  const prediction = sample.predictions.find((each) => each.model === model);
  return sample.error === null || (prediction?.classes.length ?? 0) > 0;
}

/** Which filters are set. */
export function isFiltered({ outcome, predicted, actual, above, below }: Question): boolean {
  const scores = above !== null || below !== null;
  return outcome !== 'all' || predicted.length > 0 || actual.length > 0 || scores;
}

/** What every sample passes. */
export const UNFILTERED = {
  outcome: 'all',
  predicted: [],
  actual: [],
  above: null,
  below: null,
} satisfies Change;

const FILTERS = Object.keys(UNFILTERED);

/** What a change leaves without a meaning: a selection by other filters, a rival of another class, a layer of another model. */
function givenUp(raw: Raw, changed: Change): Change {
  const rest: Change = {};
  if (FILTERS.some((name) => name in changed))
    Object.assign(rest, { sample: null, target: null, against: null });
  if ('target' in changed) {
    const stays =
      changed.target !== null &&
      changed.target !== raw.against &&
      (changed.sample ?? raw.sample) === raw.sample;
    if (!stays) rest.against = null;
    if (changed.target !== null) rest.function = null;
  }
  if (changed.model !== undefined && changed.model !== raw.model) rest.layer = null;
  return rest;
}

/** The question with the layer that the server suggests, where the method needs one and nothing says which. */
export function useReady(question: Question): Question {
  const { method, layer, model } = question;
  const wanted = method.uses_layer && layer === null;
  const { data, isPending } = useLayers(model, wanted);
  const suggested = data?.suggested[0]?.name ?? null;
  return useMemo(
    () => (wanted ? { ...question, layer: suggested, ready: !isPending } : question),
    [question, wanted, suggested, isPending],
  );
}

const Context = createContext<{ question: Question; change: Changer } | null>(null);

export function QuestionProvider({ children }: { children: ReactNode }) {
  const workspace = useWorkspace();
  const [raw, setRaw] = useAddress(questionParsers);
  const asked = useMemo(() => readQuestion(raw, workspace), [raw, workspace]);
  const question = useReady(asked);
  const value = useMemo(() => {
    const change: Changer = (changed, options) => setRaw({ ...givenUp(raw, changed), ...changed }, options);
    return { question, change };
  }, [raw, setRaw, question]);
  return <Context value={value}>{children}</Context>;
}

export function useQuestion() {
  const value = useContext(Context);
  if (!value) throw new Error('useQuestion: outside of <QuestionProvider>');
  return value;
}

/** What the model in question does. */
export function useTask(): Workspace['task'] {
  const { models, task } = useWorkspace();
  return models[useQuestion().question.model]?.task ?? task;
}
