import { SegmentedControl } from '@mantine/core';
import styles from './Choice.module.css';

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: Partial<Record<T, string>>;
  onChange: (value: T) => void;
}

/** One of a few, all of them visible. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  const data = (Object.entries(options) as [T, string][]).map(([value, label]) => ({ value, label }));
  return (
    <SegmentedControl
      aria-label={label}
      size="xs"
      fullWidth
      withItemsBorders={false}
      classNames={{ label: styles.label }}
      data={data}
      value={value}
      onChange={(next) => onChange(next as T)}
    />
  );
}
