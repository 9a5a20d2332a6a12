import { ActionIcon, Popover, Select } from '@mantine/core';
import { IconAdjustments } from '@tabler/icons-react';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Header.module.css';
import { ParameterForm } from './ParameterForm';

/** The attribution method, each with its summary; its parameters open beside it. */
export function MethodField() {
  const { methods } = useWorkspace();
  const { question, change } = useQuestion();
  const changed = Object.keys(question.args).length;
  const known = new Map(methods.map((method) => [method.name, method]));
  return (
    <div className={styles.method}>
      <Select
        aria-label="Attribution method"
        allowDeselect={false}
        maxDropdownHeight={420}
        comboboxProps={{ width: 320, position: 'bottom-start' }}
        data={methods.map(({ name, title }) => ({ value: name, label: title }))}
        value={question.method.name}
        onChange={(method) => change({ method, args: null })}
        renderOption={({ option }) => (
          <span className={styles.option}>
            <b>{option.label}</b>
            <small>{known.get(option.value)?.summary}</small>
            <small>{known.get(option.value)?.caveat}</small>
          </span>
        )}
      />
      <Popover width={320} position="bottom-end" withArrow trapFocus>
        <Popover.Target>
          <ActionIcon
            size={30}
            variant="default"
            aria-label={changed ? `Parameters of the method, ${changed} changed` : 'Parameters of the method'}
            className={changed ? styles.changed : undefined}
          >
            <IconAdjustments size={17} stroke={1.7} />
          </ActionIcon>
        </Popover.Target>
        <Popover.Dropdown aria-label="Parameters of the method">
          <ParameterForm key={question.method.name} method={question.method} args={question.args} />
        </Popover.Dropdown>
      </Popover>
    </div>
  );
}
