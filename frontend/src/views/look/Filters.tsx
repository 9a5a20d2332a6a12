import { Button, UnstyledButton } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { number } from '../../base/format';
import { isFiltered, type Question, UNFILTERED, useQuestion, useTask } from '../../state/question';
import { className, useWorkspace } from '../../state/workspace';
import { Name } from '../common/Name';
import styles from './Look.module.css';

/** The filters that are set, each with a way out. */
export function Filters({ question }: { question: Question }) {
  const { change } = useQuestion();
  const { classes } = useWorkspace();
  const what = useTask() === 'regression' ? 'Output' : 'Score';
  const { outcome, predicted, actual, above, below } = question;
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
      {(above !== null || below !== null) && (
        <Pill text={`${what} ${range(above, below)}`} onRemove={() => change({ above: null, below: null })} />
      )}
      <ClearFilters />
    </div>
  );
}

/** "0.4 to 0.45", "from 0.95", "below 0.05". */
function range(above: number | null, below: number | null): string {
  if (above === null) return `below ${number(below)}`;
  return below === null ? `from ${number(above)}` : `${number(above)} to ${number(below)}`;
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
      onClick={() => change(UNFILTERED)}
    >
      {filled ? 'Clear filters' : 'Clear all'}
    </Button>
  );
}
