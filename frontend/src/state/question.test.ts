import { describe, expect, it } from 'vitest';
import { scenario } from '../api/fakeScenarios';
import { type Change, isFiltered, readQuestion, requestFor } from './question';

const { workspace } = scenario('images');
const raw = {
  model: 0,
  method: null,
  args: null,
  baseline: 0,
  outcome: 'all',
  predicted: [],
  actual: [],
  order: null,
  scan: null,
  sample: null,
  target: null,
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
    const common = { model: 0, method: 'IntegratedGradients', arguments: { n_steps: 20 }, baseline: 'mean' };
    expect(requestFor(question, 4)).toEqual({ sample: 4, target: 2, ...common });
    expect(requestFor(question, 5)).toEqual({ sample: 5, target: null, ...common });
  });
});

describe('isFiltered', () => {
  it('is so where anything is left out', () => {
    expect(isFiltered(read())).toBe(false);
    expect(isFiltered(read({ outcome: 'correct' }))).toBe(true);
    expect(isFiltered(read({ actual: [1] }))).toBe(true);
  });
});
