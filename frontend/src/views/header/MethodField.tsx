import { ActionIcon, Select, Tooltip } from '@mantine/core';
import { IconAdjustments } from '@tabler/icons-react';
import type { RefObject } from 'react';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { spelledOut } from '../common/abbreviations';
import styles from './Header.module.css';

interface MethodFieldProps {
  /** Whether its parameters are shown, and the button that shows and hides them. */
  opened: boolean;
  toggle: RefObject<HTMLButtonElement | null>;
  onToggle: () => void;
}

/** The attribution method, each with its summary. */
export function MethodField({ opened, toggle, onToggle }: MethodFieldProps) {
  const { methods } = useWorkspace();
  const { question, change } = useQuestion();
  const changed = Object.keys(question.args).length;
  const known = new Map(methods.map((method) => [method.name, method]));
  return (
    <div className={styles.method}>
      <Select
        aria-label="Attribution method"
        aria-keyshortcuts="m"
        title={[question.method.summary, spelledOut(question.method.title)].filter(Boolean).join(' ')}
        allowDeselect={false}
        maxDropdownHeight={420}
        scrollAreaProps={{ type: 'auto' }}
        comboboxProps={{ width: 320, position: 'bottom-start' }}
        data={methods.map(({ name, title }) => ({ value: name, label: title }))}
        value={question.method.name}
        onChange={(method) => change({ method, args: null })}
        renderOption={({ option }) => (
          <span className={styles.option}>
            <b title={spelledOut(option.label)}>{option.label}</b>
            <small>{known.get(option.value)?.summary}</small>
            <small>{known.get(option.value)?.caveat}</small>
          </span>
        )}
      />
      <Tooltip label="Parameters of the method" disabled={opened}>
        <ActionIcon
          ref={toggle}
          size={30}
          variant="default"
          aria-label={changed ? `Parameters of the method, ${changed} changed` : 'Parameters of the method'}
          aria-expanded={opened}
          className={changed ? styles.changed : undefined}
          onClick={onToggle}
        >
          <IconAdjustments size={17} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
