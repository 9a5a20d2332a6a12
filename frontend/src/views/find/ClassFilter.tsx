import { TextInput, UnstyledButton } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import type { ClassCount, Summary } from '../../api/schema';
import { count, plural } from '../../base/format';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { Choice } from '../common/Choice';
import { Name } from '../common/Name';
import { Section } from '../common/Section';
import styles from './Find.module.css';

type Side = 'predicted' | 'actual';

const ROW = 26; // px
const SEARCH_ABOVE = 12;
const TALLEST = 286; // px

/** Classes to restrict to, predicted or true, with counts and bars; a label beyond the outputs is never predicted. */
export function ClassFilter({ summary, labelled }: { summary: Summary; labelled: boolean }) {
  const { question, change } = useQuestion();
  const [chosen, setSide] = useState<Side>('predicted');
  const side = labelled ? chosen : 'predicted';
  const [search, setSearch] = useState('');
  const { classes: outputs } = useWorkspace();
  const rows = useMemo(() => {
    const possible = summary.classes.filter((each) => side === 'actual' || each.index < outputs.length);
    return rankedClasses(possible, side, search);
  }, [summary.classes, outputs.length, side, search]);
  const selected = question[side];
  const toggle = (index: number) => {
    const next = selected.includes(index) ? selected.filter((each) => each !== index) : [...selected, index];
    change(side === 'predicted' ? { predicted: next } : { actual: next });
  };
  return (
    <Section title={labelled ? 'Classes' : 'Predicted classes'}>
      {labelled && (
        <Choice
          label="Which class"
          value={side}
          options={{
            predicted: marked('Predicted', question.predicted),
            actual: marked('True', question.actual),
          }}
          onChange={setSide}
        />
      )}
      {summary.classes.length > SEARCH_ABOVE && (
        <TextInput
          size="xs"
          aria-label="Search classes"
          placeholder={`Search ${count(summary.classes.length)} classes`}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      <Unnamed />
      {rows.length === 0 && <p className={styles.note}>No class of that name.</p>}
      <ClassList rows={rows} side={side} selected={selected} onToggle={toggle} />
    </Section>
  );
}

/** Says that names and outputs do not fit, for then what is read beside a score may be wrong. */
function Unnamed() {
  const { question } = useQuestion();
  const { named, models } = useWorkspace();
  const outputs = models[question.model]?.outputs ?? null;
  if (outputs === null || outputs === named) return null;
  return (
    <p className={styles.warning}>
      The model has {plural(outputs, 'output')}, but {count(named)} are named: check <code>classes</code>.
    </p>
  );
}

interface ClassListProps {
  rows: ClassCount[];
  side: Side;
  selected: number[];
  onToggle: (index: number) => void;
}

function ClassList({ rows, side, selected, onToggle }: ClassListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const most = Math.max(1, ...rows.map((row) => row[side]));
  return (
    <div
      ref={scroller}
      className={styles.classes}
      style={{ height: Math.min(rows.length * ROW, TALLEST) }}
      role="group"
      aria-label={side === 'predicted' ? 'Predicted classes' : 'True classes'}
    >
      <div style={{ position: 'relative', height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index] as ClassCount;
          return (
            <UnstyledButton
              key={row.index}
              className={styles.class}
              style={{ transform: `translateY(${item.start}px)` }}
              aria-pressed={selected.includes(row.index)}
              onClick={() => onToggle(row.index)}
            >
              <span className={styles.fill} style={{ width: `${(100 * row[side]) / most}%` }} />
              <Name className={styles.name} text={row.name} />
              <span className={styles.count}>{count(row[side])}</span>
            </UnstyledButton>
          );
        })}
      </div>
    </div>
  );
}

/** Few classes keep their order; many are ranked by count, and searched by name. */
function rankedClasses(classes: ClassCount[], side: Side, search: string): ClassCount[] {
  const wanted = search.trim().toLowerCase();
  const found = wanted ? classes.filter((each) => each.name.toLowerCase().includes(wanted)) : classes;
  if (classes.length <= SEARCH_ABOVE) return found;
  return [...found].sort((a, b) => b[side] - a[side]);
}

function marked(title: string, selected: number[]): string {
  return selected.length ? `${title} (${selected.length})` : title;
}
