import { describe, expect, it } from 'vitest';
import { scenario } from '../api/fakeScenarios';
import type { Sample } from '../api/schema';
import { type Change, isFiltered, readQuestion, requestFor } from './question';

const { workspace, sample } = scenario('images');
const raw = {
  model: 0,
  method: null,
  args: null,
  baseline: 0,
  outcome: 'all',
  predicted: [],
  actual: [],
  above: null,
  below: null,
  order: null,
  scan: null,
  sample: null,
  target: null,
  against: null,
  function: null,
  layer: null,
  explain: null,
} as const;

const read = (change: Change = {}) =>
  readQuestion(
    { ...raw, predicted: [], actual: [], ...change } as Parameters<typeof readQuestion>[0],
    workspace,
  );

describe('readQuestion', () => {
  it('takes what is absent from the workspace', () => {
    expect(read()).toMatchObject({ order: 'mistakes', model: 0, method: { name: 'IntegratedGradients' } });
  });

  it('leaves out what the workspace does not know', () => {
    const question = read({ method: 'Nothing', model: 7, predicted: [2, 99, -1], baseline: 5 });
    expect(question).toMatchObject({ model: 0, predicted: [2, 99], baseline: 0 });
    expect(question.method.name).toBe('IntegratedGradients');
    expect(question.unknown).toEqual({ method: 'Nothing', model: 7, function: null });
    expect(read({ function: 'margin' })).toMatchObject({ function: null, unknown: { function: 'margin' } });
  });
});

describe('requestFor', () => {
  it('asks for the chosen class only of the selected sample', () => {
    const question = read({ sample: 4, target: 2, args: { n_steps: 20 }, baseline: 'mean' });
    const place = { layer: null, neuron: null, against: null };
    const asked = { model: 0, method: 'IntegratedGradients', arguments: { n_steps: 20 }, baseline: 'mean' };
    const common = { ...asked, ...place };
    expect(requestFor(question, sample(4))).toEqual({ sample: 4, target: 2, ...common });
    expect(requestFor(question, sample(5))).toEqual({ sample: 5, target: null, ...common });
  });
});

describe('requestFor, of other questions', () => {
  it('sets a class against another, of the selected sample alone', () => {
    const question = read({ sample: 4, target: 2, against: 1 });
    expect(requestFor(question, sample(4))).toMatchObject({ target: 2, against: 1 });
    expect(requestFor(question, sample(5))).toMatchObject({ target: null, against: null });
    expect(requestFor(read({ sample: 4, against: 1 }), sample(4))).toMatchObject({
      target: null,
      against: 1,
    });
  });

  it('asks for a layer only where the method looks at one', () => {
    expect(requestFor(read({ method: 'LayerGradCam', layer: 'features.1' }), sample(0)).layer).toBe(
      'features.1',
    );
    expect(requestFor(read({ layer: 'features.1' }), sample(0)).layer).toBeNull();
  });

  it('names no class where the method explains none', () => {
    const question = read({ method: 'AttentionRollout', sample: 4, target: 2, against: 1 });
    expect(requestFor(question, sample(4))).toMatchObject({ target: null, against: null });
  });

  it('explains a function of the outputs of every sample, unless a class is chosen', () => {
    const margin = { ...workspace, targets: ['margin'] };
    const question = readQuestion({ ...raw, predicted: [], actual: [], function: 'margin' }, margin);
    expect(requestFor(question, sample(5))).toMatchObject({ target: 'margin', against: null });
    expect(requestFor({ ...question, sample: 5, target: 2 }, sample(5)).target).toBe(2);
  });
});

const isMistake = ({ predictions }: Sample) => predictions[0]?.correct === false;

describe('the class that is explained of every sample', () => {
  const mistake = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(sample).find(isMistake) ?? sample(0);
  const { index, label, predictions } = mistake;
  const [best, next] = predictions[0]?.classes ?? [];
  const target = (change: Change, of: Parameters<typeof requestFor>[1] = mistake) =>
    requestFor(read(change), of).target;

  it('is the predicted one, the true one, or the one with the next best score', () => {
    expect(isMistake(mistake)).toBe(true);
    expect(target({ explain: 'predicted' })).toBe(best?.index);
    expect(target({ explain: 'true' })).toBe(label?.index);
    expect(target({ explain: 'second' })).toBe(next?.index);
  });

  it('is left to the server where nothing is chosen, and gives way to the class chosen on a sample', () => {
    expect(target({})).toBeNull();
    expect(target({ explain: 'second', sample: index, target: 4 })).toBe(4);
  });

  it('is the predicted one against its rival: the true class of a mistake, else the runner-up', () => {
    const right = [0, 1, 2, 3].map(sample).find((each) => !isMistake(each)) ?? sample(0);
    const of = (each: Sample) => requestFor(read({ explain: 'contrast' }), each);
    expect(of(mistake)).toMatchObject({ target: best?.index, against: label?.index });
    const [first, second] = right.predictions[0]?.classes ?? [];
    expect(of(right)).toMatchObject({ target: first?.index, against: second?.index });
  });

  it('is the predicted one where no true one is known', () => {
    expect(target({ explain: 'true' }, { index, label: null, predictions })).toBe(best?.index);
    expect(target({ explain: 'second' }, { index, label, predictions: [] })).toBeNull();
  });
});

describe('isFiltered', () => {
  it('is so where anything is left out', () => {
    expect(isFiltered(read())).toBe(false);
    expect(isFiltered(read({ outcome: 'correct' }))).toBe(true);
    expect(isFiltered(read({ actual: [1] }))).toBe(true);
    expect(isFiltered(read({ below: 0 }))).toBe(true);
  });
});
