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
    expect(question.unknown).toEqual({ method: 'Nothing', model: 7 });
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
