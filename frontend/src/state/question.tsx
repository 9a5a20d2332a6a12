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
import { changedArguments } from './parameters';
import { useWorkspace } from './workspace';

export interface Question {
  model: number;
  method: MethodInfo;
  args: Arguments;
  baseline: Baseline;
  /** Where a method at a layer looks. */
  layer: string | null;
  outcome: Outcome;
  predicted: number[];
  actual: number[];
  above: number | null;
  below: number | null;
  order: Order;
  scan: number | null;
  sample: number | null;
  target: number | null;
  /** Which class of every sample is explained; null: as the workspace says. */
  explain: Explained | null;
  /** What the address asks for that there is not; something else is shown instead. */
  unknown: { method: string | null; model: number | null };
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
    layer: workspace.models[raw.model]?.default_layer ?? null,
    baseline: raw.baseline === 'mean' || raw.baseline < baselines ? raw.baseline : 0,
    predicted: raw.predicted.filter(possible),
    actual: raw.actual.filter(possible),
    order: raw.order ?? workspace.default_order,
    unknown: {
      method: raw.method !== null && raw.method !== method.name ? raw.method : null,
      model: workspace.models[raw.model] ? null : raw.model,
    },
  };
}

type Asking = Required<AttributionRequest> & { target: number | null };
type Asked = Pick<Sample, 'index' | 'label' | 'predictions'>;

/** The request for a sample: a class chosen for it only where it is the selected one. */
export function requestFor(question: Question, sample: Asked): Asking {
  const { model, method, args, baseline } = question;
  const layer = method.uses_layer ? question.layer : null;
  const place = { layer, neuron: null, against: null };
  const chosen = question.sample === sample.index ? question.target : null;
  const target = chosen ?? explainedClass(question, sample);
  return { sample: sample.index, model, target, method: method.name, arguments: args, baseline, ...place };
}

/** The class to explain by what is chosen for all; null where the server chooses: nothing is, or no such class is known. */
function explainedClass({ explain, model }: Question, { label, predictions }: Asked): number | null {
  const prediction = predictions.find((each) => each.model === model);
  const predicted = prediction?.predicted?.index ?? null;
  if (explain === 'true') return label?.index ?? predicted;
  if (explain === 'second') return prediction?.classes[1]?.index ?? predicted;
  return explain === 'predicted' ? predicted : null;
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

const Context = createContext<{ question: Question; change: Changer } | null>(null);

export function QuestionProvider({ children }: { children: ReactNode }) {
  const workspace = useWorkspace();
  const [raw, setRaw] = useAddress(questionParsers);
  const value = useMemo(() => {
    const change: Changer = (changed, options) => {
      const filters = FILTERS.some((name) => name in changed);
      const deselect = filters ? { sample: null, target: null } : {};
      setRaw({ ...deselect, ...changed }, options);
    };
    return { question: readQuestion(raw, workspace), change };
  }, [raw, setRaw, workspace]);
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
