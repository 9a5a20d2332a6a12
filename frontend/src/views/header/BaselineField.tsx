import { Select } from '@mantine/core';
import type { FeatureInfo } from '../../api/schema';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Header.module.css';

/** Which baseline the inputs are compared with, where there is a choice. */
export function BaselineField() {
  const { features } = useWorkspace();
  const { question, change } = useQuestion();
  const names = baselineNames(features);
  if (names.length < 2 || !question.method.uses_baseline) return null;
  return (
    <Select
      aria-label="Baseline"
      className={styles.field}
      allowDeselect={false}
      data={[
        ...names.map((name, i) => ({ value: String(i), label: `Baseline: ${name}` })),
        { value: 'mean', label: 'Mean over baselines' },
      ]}
      value={String(question.baseline)}
      onChange={(value) => change({ baseline: value === 'mean' ? 'mean' : Number(value) })}
    />
  );
}

/** The baselines by place; an input with fewer of them is not named there. */
function baselineNames(features: FeatureInfo[]): string[] {
  const most = Math.max(0, ...features.map((feature) => feature.baselines.length));
  return Array.from({ length: most }, (_, i) => {
    const names = features.flatMap((feature) => feature.baselines[i] ?? []);
    return [...new Set(names)].join(' · ');
  });
}
