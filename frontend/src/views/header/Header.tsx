import { Select } from '@mantine/core';
import { type ReactNode, useRef, useState } from 'react';
import { useHost } from '../../state/host';
import type { Layout } from '../../state/layout';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { BaselineField } from './BaselineField';
import { CopyLink } from './CopyLink';
import styles from './Header.module.css';
import { LayerField } from './LayerField';
import { MethodField } from './MethodField';
import { ParameterForm } from './ParameterForm';
import { SchemeToggle } from './SchemeToggle';
import { TargetField } from './TargetField';

/** What is explained and how; what holds for every card. */
export function Header({ layout, help }: { layout: Layout; help: ReactNode }) {
  const { title, models } = useWorkspace();
  const { question, change } = useQuestion();
  const { scheme } = useHost();
  const [tuning, setTuning] = useState(false);
  const toggle = useRef<HTMLButtonElement>(null);
  const close = () => {
    setTuning(false);
    toggle.current?.focus();
  };
  return (
    <header className={styles.header} data-layout={layout}>
      <h1 className={styles.title} title={title}>
        <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden>
          <rect x="1" y="8" width="3.6" height="7" rx="1" opacity=".45" />
          <rect x="6.2" y="1" width="3.6" height="14" rx="1" />
          <rect x="11.4" y="5" width="3.6" height="10" rx="1" opacity=".7" />
        </svg>
        <span>{title}</span>
      </h1>
      <div className={styles.fields}>
        {models.length > 1 && (
          <Select
            aria-label="Model"
            className={styles.field}
            allowDeselect={false}
            data={models.map((model, i) => ({ value: String(i), label: model.name }))}
            value={String(question.model)}
            onChange={(value) => change({ model: Number(value), target: null })}
          />
        )}
        <MethodField opened={tuning} toggle={toggle} onToggle={() => setTuning(!tuning)} />
        <LayerField />
        <BaselineField />
        <TargetField />
      </div>
      <div className={styles.actions}>
        <CopyLink />
        {!scheme && <SchemeToggle />}
        {help}
      </div>
      {tuning && (
        <ParameterForm
          key={question.method.name}
          method={question.method}
          args={question.args}
          onClose={close}
        />
      )}
    </header>
  );
}
