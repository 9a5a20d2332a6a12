import { Button, UnstyledButton } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { isFiltered, type Question, useQuestion } from '../../state/question';
import { className, useWorkspace } from '../../state/workspace';
import { Name } from '../common/Name';
import styles from './Look.module.css';

/** The filters that are set, each with a way out. */
export function Filters({ question }: { question: Question }) {
  const { change } = useQuestion();
  const { classes } = useWorkspace();
  const { outcome, predicted, actual } = question;
  if (!isFiltered(question)) return null;
  const without = (list: number[], index: number) => list.filter((each) => each !== index);
  return (
    <div className={styles.pills} role="group" aria-label="Active filters">
      {outcome !== 'all' && <Pill text={`Only ${outcome}`} onRemove={() => change({ outcome: 'all' })} />}
      {predicted.map((index) => (
        <Pill
          key={`p${index}`}
          text={`Predicted ${className(classes, index)}`}
          onRemove={() => change({ predicted: without(predicted, index) })}
        />
      ))}
      {actual.map((index) => (
        <Pill
          key={`a${index}`}
          text={`True ${className(classes, index)}`}
          onRemove={() => change({ actual: without(actual, index) })}
        />
      ))}
      <ClearFilters />
    </div>
  );
}

function Pill({ text, onRemove }: { text: string; onRemove: () => void }) {
  return (
    <UnstyledButton className={styles.pill} onClick={onRemove} aria-label={`Remove filter: ${text}`}>
      <Name text={text} />
      <IconX size={13} aria-hidden />
    </UnstyledButton>
  );
}

export function ClearFilters({ filled = false }: { filled?: boolean }) {
  const { change } = useQuestion();
  return (
    <Button
      size={filled ? 'xs' : 'compact-xs'}
      variant={filled ? 'default' : 'subtle'}
      onClick={() => change({ outcome: 'all', predicted: [], actual: [] })}
    >
      {filled ? 'Clear filters' : 'Clear all'}
    </Button>
  );
}
