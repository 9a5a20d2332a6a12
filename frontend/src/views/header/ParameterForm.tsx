import { Button, CloseButton } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { MethodInfo } from '../../api/schema';
import type { Argument, Arguments } from '../../state/location';
import { changedArguments } from '../../state/parameters';
import { useQuestion } from '../../state/question';
import styles from './Header.module.css';
import { ParameterField } from './ParameterField';

interface ParameterFormProps {
  method: MethodInfo;
  args: Arguments;
  onClose: () => void;
}

/** A form made from a method's parameters, in a row of its own, so that it covers nothing; only valid values are sent. */
export function ParameterForm({ method, args, onClose }: ParameterFormProps) {
  const { change } = useQuestion();
  const [resets, setResets] = useState(0);
  const set = (name: string, value: Argument) => {
    const next = changedArguments(method, { ...args, [name]: value });
    change({ args: Object.keys(next).length ? next : null }, { replace: true });
  };
  const reset = () => {
    change({ args: null });
    setResets(resets + 1);
  };
  const section = useRef<HTMLElement>(null);
  useEffect(() => section.current?.focus(), []);
  return (
    <section
      ref={section}
      className={styles.form}
      aria-label="Parameters of the method"
      tabIndex={-1}
      data-keys="own"
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <div className={styles.about}>
        <h2>{method.title}</h2>
        <p className={styles.summary}>{method.summary}</p>
        {method.caveat && <p className={styles.caveat}>{method.caveat}</p>}
      </div>
      {method.parameters.map((parameter) => (
        <ParameterField
          key={`${parameter.name}-${resets}`}
          parameter={parameter}
          value={args[parameter.name]}
          onChange={(value) => set(parameter.name, value)}
        />
      ))}
      {method.parameters.length === 0 && <p className={styles.summary}>This method has no parameters.</p>}
      <div className={styles.formActions}>
        {method.parameters.length > 0 && (
          <Button size="xs" variant="default" disabled={Object.keys(args).length === 0} onClick={reset}>
            Reset to defaults
          </Button>
        )}
        <CloseButton size="sm" aria-label="Hide the parameters" onClick={onClose} />
      </div>
    </section>
  );
}
