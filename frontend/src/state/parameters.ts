import type { MethodInfo, Parameter } from '../api/schema';
import type { Argument, Arguments } from './location';

type Checked = { ok: true; value: Argument } | { ok: false; reason: string };

/** What a person typed into a field, as the argument it means or the reason why it cannot be sent. */
export function readField(parameter: Parameter, text: string): Checked {
  const trimmed = text.trim();
  if (trimmed === '' || (parameter.default === null && trimmed.toLowerCase() === 'auto'))
    return { ok: true, value: parameter.default };
  if (parameter.kind === 'boolean') return checkArgument(parameter, trimmed === 'true');
  if (parameter.kind === 'choice') return checkArgument(parameter, trimmed);
  return checkArgument(parameter, Number(trimmed.replace('\u2212', '-')));
}

/** Whether a parameter has an effect: some have none before another one is given. */
export function isUsed({ only_with }: Parameter, { parameters }: MethodInfo, given: Arguments): boolean {
  if (only_with === null) return true;
  const other = parameters.find(({ name }) => name === only_with);
  return (given[only_with] ?? other?.default ?? null) !== null;
}

/** Whether an argument is one that the method takes. */
function checkArgument(parameter: Parameter, value: Argument): Checked {
  const refuse = (reason: string): Checked => ({ ok: false, reason });
  const { kind, minimum, maximum, options } = parameter;
  if (value === null && parameter.default === null) return { ok: true, value };
  if (kind === 'boolean') return typeof value === 'boolean' ? { ok: true, value } : refuse('Yes or no.');
  if (kind === 'choice') {
    return options.includes(String(value)) ? { ok: true, value } : refuse(`One of ${options.join(', ')}.`);
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) return refuse('A number is needed.');
  if (kind === 'integer' && !Number.isInteger(value)) return refuse('A whole number is needed.');
  if (typeof minimum === 'number' && value < minimum) return refuse(`At least ${minimum}.`);
  if (typeof maximum === 'number' && value > maximum) return refuse(`At most ${maximum}.`);
  return { ok: true, value };
}

/** Only the arguments that the method knows, that are valid, and that differ from its defaults. */
export function changedArguments(method: MethodInfo, given: Arguments | null): Arguments {
  const kept = method.parameters.flatMap((parameter) => {
    const value = given?.[parameter.name];
    if (value === undefined || value === parameter.default) return [];
    return checkArgument(parameter, value).ok ? [[parameter.name, value] as const] : [];
  });
  return Object.fromEntries(kept);
}
