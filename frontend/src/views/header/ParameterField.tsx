import { NativeSelect, Switch, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';
import type { Parameter } from '../../api/schema';
import type { Argument } from '../../state/location';
import { readField } from '../../state/parameters';

interface ParameterFieldProps {
  parameter: Parameter;
  /** The argument given; undefined where the default holds. */
  value: Argument | undefined;
  onChange: (value: Argument) => void;
}

/** The field of one parameter. */
export function ParameterField(props: ParameterFieldProps) {
  const { parameter, value, onChange } = props;
  if (parameter.kind === 'boolean' && parameter.default !== null) {
    return (
      <Switch
        size="xs"
        label={parameter.title}
        description={parameter.help}
        checked={Boolean(value ?? parameter.default)}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    );
  }
  if (parameter.kind === 'boolean' || parameter.kind === 'choice') return <ChoiceField {...props} />;
  return <NumberField {...props} />;
}

function ChoiceField({ parameter, value, onChange }: ParameterFieldProps) {
  const names =
    parameter.kind === 'boolean'
      ? [
          { value: 'true', label: 'yes' },
          { value: 'false', label: 'no' },
        ]
      : parameter.options.map((option) => ({ value: option, label: inWords(option) }));
  const auto = parameter.default === null ? [{ value: '', label: 'auto' }] : [];
  return (
    <NativeSelect
      size="xs"
      label={parameter.title}
      description={parameter.help}
      data={[...auto, ...names]}
      value={String(value ?? parameter.default ?? '')}
      onChange={(event) => {
        const checked = readField(parameter, event.currentTarget.value);
        if (checked.ok) onChange(checked.value);
      }}
    />
  );
}

/** A choice as one says it: names of people keep their capitals. */
const inWords = (option: string) =>
  option.replaceAll('_', ' ').replace('gausslegendre', 'Gauss–Legendre').replace('riemann', 'Riemann');

const SETTLED = 500; // ms after the last key

function NumberField({ parameter, value, onChange }: ParameterFieldProps) {
  const [text, setText] = useState(value === undefined || value === null ? '' : String(value));
  const checked = readField(parameter, text);
  const send = useDebouncedCallback(
    (settled: string) => {
      const result = readField(parameter, settled);
      if (result.ok) onChange(result.value);
    },
    { delay: SETTLED, flushOnUnmount: true },
  );
  return (
    <TextInput
      size="xs"
      inputMode={parameter.kind === 'integer' ? 'numeric' : 'decimal'}
      label={parameter.title}
      description={[parameter.help, range(parameter)].filter(Boolean).join(' ')}
      placeholder={parameter.default === null ? 'auto' : String(parameter.default)}
      error={checked.ok ? undefined : checked.reason}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        send(event.currentTarget.value);
      }}
      onBlur={() => send.flush()}
    />
  );
}

function range({ minimum, maximum }: Parameter): string {
  const low = typeof minimum === 'number';
  const high = typeof maximum === 'number';
  if (low && high) return `From ${minimum} to ${maximum}.`;
  return low ? `At least ${minimum}.` : high ? `At most ${maximum}.` : '';
}
