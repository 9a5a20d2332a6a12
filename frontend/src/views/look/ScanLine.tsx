import { Button, Select } from '@mantine/core';
import { IconFilter } from '@tabler/icons-react';
import type { Progress } from '../../api/schema';
import { ORDERS } from '../../api/values';
import { count } from '../../base/format';
import type { Order } from '../../state/location';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Look.module.css';
import { NumberSearch } from './NumberSearch';

const TITLES: Record<Order, string> = {
  index: 'As given',
  mistakes: 'Mistakes first',
  confident: 'Most confident',
  uncertain: 'Least confident',
};

/** What the same orders are called where the score is the output itself. */
const OUTPUT_TITLES: Record<Order, string> = {
  ...TITLES,
  mistakes: 'Largest error',
  confident: 'Largest output',
  uncertain: 'Smallest output',
};

interface ScanLineProps {
  progress: Progress | undefined;
  matched: number;
  onFind: (() => void) | undefined;
}

/** How far the data has been read and how much of it matches; the order, and where to read on. */
export function ScanLine({ progress, matched, onFind }: ScanLineProps) {
  const { question, change } = useQuestion();
  const task = useTask();
  const titles = task === 'regression' ? OUTPUT_TITLES : TITLES;
  const judged = progress?.labelled !== 0 || question.order === 'mistakes';
  const orders = ORDERS.filter((order) => order !== 'mistakes' || judged);
  return (
    <div>
      <div className={styles.scan}>
        {onFind && (
          <Button size="xs" variant="default" leftSection={<IconFilter size={15} />} onClick={onFind}>
            Find
          </Button>
        )}
        <span className={styles.said} role="status">
          {progress ? <Said progress={progress} matched={matched} /> : 'Reading the data…'}
        </span>
        {progress && <ScanFurther progress={progress} />}
        <NumberSearch />
        <Select
          aria-label="Order"
          w={148}
          allowDeselect={false}
          data={orders.map((order) => ({ value: order, label: titles[order] }))}
          value={orders.includes(question.order) ? question.order : 'index'}
          onChange={(order) => change({ order: order as Order })}
        />
      </div>
      <ScanTrack progress={progress} />
    </div>
  );
}

function Said({ progress, matched }: { progress: Progress; matched: number }) {
  const { failed, unreadable } = progress;
  const of = progress.size === null ? ' so far' : ` of ${count(progress.size)}`;
  return (
    <>
      Scanned <b>{count(progress.scanned)}</b>
      {of} · <b>{count(matched)}</b> match
      {unreadable > 0 && ` · ${count(unreadable)} could not be read`}
      {failed > unreadable && ` · ${count(failed - unreadable)} could not be predicted`}
    </>
  );
}

/** Offers to read on where data remain. */
export function ScanFurther({ progress, filled = false }: { progress: Progress; filled?: boolean }) {
  const { change } = useQuestion();
  const { scan_step } = useWorkspace();
  if (progress.exhausted || progress.scanning) return null;
  const further = Math.ceil((progress.scanned + scan_step) / 100) * 100;
  return (
    <Button
      size="xs"
      variant={filled ? 'filled' : 'light'}
      onClick={() => change({ scan: further }, { replace: true })}
    >
      Scan further
    </Button>
  );
}

function ScanTrack({ progress }: { progress: Progress | undefined }) {
  if (!progress?.scanning) return null;
  const share = progress.size ? (100 * progress.scanned) / progress.size : null;
  return (
    <div className={styles.track} role="progressbar" aria-label="Scanned" aria-valuenow={share ?? undefined}>
      {share === null ? (
        <div className={`${styles.fill} ${styles.unknown}`} />
      ) : (
        <div className={styles.fill} style={{ width: `${share}%` }} />
      )}
    </div>
  );
}
