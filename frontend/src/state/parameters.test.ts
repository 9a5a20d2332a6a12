import { describe, expect, it } from 'vitest';
import type { MethodInfo, Parameter } from '../api/schema';
import { changedArguments, readField } from './parameters';

function parameter(changes: Partial<Parameter>): Parameter {
  const base = {
    name: 'n',
    title: 'N',
    help: '',
    minimum: null,
    maximum: null,
    options: [],
    only_with: null,
  };
  return { ...base, kind: 'integer', default: 50, ...changes };
}

const steps = parameter({ minimum: 2, maximum: 2000 });
const automatic = parameter({ name: 'window', default: null, minimum: 1 });
const rule = parameter({ name: 'rule', kind: 'choice', default: 'a', options: ['a', 'b'] });

describe('readField', () => {
  it('reads numbers within their range', () => {
    expect(readField(steps, ' 20 ')).toEqual({ ok: true, value: 20 });
    expect(readField(parameter({ kind: 'number' }), '−1.5e-3')).toEqual({ ok: true, value: -0.0015 });
  });

  it('says why a value cannot be sent', () => {
    expect(readField(steps, '1')).toEqual({ ok: false, reason: 'At least 2.' });
    expect(readField(steps, '2001')).toEqual({ ok: false, reason: 'At most 2000.' });
    expect(readField(steps, '2.5')).toEqual({ ok: false, reason: 'A whole number is needed.' });
    expect(readField(steps, 'many')).toEqual({ ok: false, reason: 'A number is needed.' });
    expect(readField(rule, 'c')).toEqual({ ok: false, reason: 'One of a, b.' });
  });

  it('takes an empty field as the default, also where that is automatic', () => {
    expect(readField(steps, '')).toEqual({ ok: true, value: 50 });
    expect(readField(automatic, '')).toEqual({ ok: true, value: null });
    expect(readField(automatic, 'Auto')).toEqual({ ok: true, value: null });
  });
});

describe('changedArguments', () => {
  const method = { parameters: [steps, automatic, rule] } as unknown as MethodInfo;

  it('keeps what is known, valid and not the default', () => {
    expect(changedArguments(method, { n: 20, window: 3, rule: 'a', other: 1 })).toEqual({ n: 20, window: 3 });
    expect(changedArguments(method, { n: -1, window: null, rule: 'c' })).toEqual({});
    expect(changedArguments(method, null)).toEqual({});
  });
});
