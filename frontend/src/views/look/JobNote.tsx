import { Button } from '@mantine/core';
import type { Job } from '../../api/schema';
import { count, seconds } from '../../render/format';
import type { Explanation } from '../../state/explanation';
import { ErrorNote } from '../common/ErrorNote';
import styles from './Card.module.css';

/** What is being computed and how far; what failed and why; nothing once it is done. */
export function JobNote({ explanation }: { explanation: Explanation }) {
  const { state, failure, job, retry, cancel } = explanation;
  if (state === 'done') return null;
  if (state === 'failed' && failure) return <ErrorNote error={failure} retry={retry} />;
  if (state === 'cancelled') {
    return (
      <div className={styles.job}>
        <span>Cancelled.</span>
        <Button size="compact-xs" variant="default" onClick={retry}>
          Explain
        </Button>
      </div>
    );
  }
  return (
    <div className={styles.job} role="status">
      <span>{said(job)}</span>
      {job?.total && (
        <div className={styles.track} aria-hidden>
          <div className={styles.fill} style={{ width: `${(100 * job.done) / job.total}%` }} />
        </div>
      )}
      {job && (
        <Button size="compact-xs" variant="subtle" color="gray" onClick={cancel}>
          Cancel
        </Button>
      )}
    </div>
  );
}

function said(job: Job | undefined): string {
  if (!job) return 'Waiting…';
  if (job.state === 'queued') return job.ahead > 0 ? `Queued, ${count(job.ahead)} ahead` : 'Queued';
  const left = job.remaining !== null && job.remaining > 1 ? ` · ${seconds(job.remaining)}` : '';
  return job.total ? `${count(job.done)} / ${count(job.total)}${left}` : 'Computing…';
}
