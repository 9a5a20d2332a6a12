import { describe, expect, it } from 'vitest';
import { scenario } from '../../api/fakeScenarios';
import { cited, grouped, matching, priceInBrief, priceInWords } from './methods';

const { methods } = scenario('images').workspace;

describe('methods', () => {
  it('are grouped by what they do', () => {
    const groups = grouped(methods);
    expect(groups.map(({ group }) => group)).toEqual(['Adds up', 'Quick look', 'Attention']);
    expect(groups.flatMap(({ methods }) => methods)).toHaveLength(methods.length);
  });

  it('are found by words of their name, what they do, or who published them', () => {
    const found = (search: string) =>
      methods.filter((each) => matching(each, search)).map(({ name }) => name);
    expect(found('taly PATH')).toEqual([]);
    expect(found('taly way')).toEqual(['IntegratedGradients']);
    expect(found('sali')).toEqual(['Saliency']);
    expect(found('')).toHaveLength(methods.length);
  });

  it('cite whom they are from', () => {
    const paper = { title: '', year: 2017, url: null };
    expect(cited({ ...paper, authors: 'Sundararajan, Taly and Yan' })).toBe('Sundararajan et al. 2017');
    expect(cited({ ...paper, authors: 'Zeiler and Fergus' })).toBe('Zeiler and Fergus 2017');
  });

  it('have a price', () => {
    const price = { forward: 50, backward: 50, seconds: 2.1, at_least: false };
    expect(priceInBrief(price)).toBe('100 passes, about 2.1 s');
    expect(priceInWords(price)).toBe('about 2.1 s, 50 passes forward and 50 back');
    expect(priceInWords({ ...price, backward: 0, forward: 1, seconds: null })).toBe('1 pass forward');
    expect(priceInWords({ ...price, at_least: true })).toMatch(/^at least 2\.1 s/);
  });
});
