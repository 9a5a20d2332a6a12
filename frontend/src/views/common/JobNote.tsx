import { Button } from '@mantine/core';
import { isUnreachable } from '../../api/failure';
import type { Job } from '../../api/schema';
import { count, seconds } from '../../base/format';
import type { Explanation } from '../../state/explanation';
import { ErrorNote } from './ErrorNote';
import styles from './JobNote.module.css';

interface JobNoteProps {
  explanation: Explanation;
  /** Whether it is one of many. */
  brief?: boolean;
  /** Whether Tab stops at its buttons. */
  stops?: boolean;
}

/** What is being computed and how far; what failed and why; nothing once it is done. */
export function JobNote({ explanation, brief = false, stops = true }: JobNoteProps) {
  const { state, failure, job, retry, cancel } = explanation;
  if (state === 'done') return null;
  if (state === 'failed' && failure) {
    if (brief && isUnreachable(failure))
      return <Ended said="No answer." action="Retry" onAction={retry} stops={stops} />;
    return <ErrorNote error={failure} retry={retry} stops={stops} />;
  }
  if (state === 'cancelled')
    return <Ended said="Cancelled." action="Explain" onAction={retry} stops={stops} />;
  return (
    <div className={styles.job} data-job role={brief ? undefined : 'status'}>
      <span>{said(job, brief)}</span>
      {job?.total && (
        <div className={styles.track} aria-hidden>
          <div className={styles.fill} style={{ width: `${(100 * job.done) / job.total}%` }} />
        </div>
      )}
      {job && !(brief && job.state === 'queued') && (
        <Button
          className={styles.cancel}
          size="compact-xs"
          variant="subtle"
          color="gray"
          tabIndex={stops ? 0 : -1}
          title="It stops when the present pass through the model is over."
          onClick={cancel}
        >
          Cancel
        </Button>
      )}
    </div>
  );
}

interface EndedProps {
  said: string;
  action: string;
  onAction: () => void;
  stops: boolean;
}

function Ended({ said, action, onAction, stops }: EndedProps) {
  return (
    <div className={styles.job} data-job>
      <span>{said}</span>
      <Button size="compact-xs" variant="default" tabIndex={stops ? 0 : -1} onClick={onAction}>
        {action}
      </Button>
    </div>
  );
}

function said(job: Job | undefined, brief: boolean): string {
  if (!job) return 'Waiting…';
  if (job.state === 'queued') return job.ahead > 0 && !brief ? `Queued, ${count(job.ahead)} ahead` : 'Queued';
  const left = job.remaining !== null && job.remaining > 1 ? ` · ${seconds(job.remaining)} left` : '';
  return job.total ? `${count(job.done)} / ${count(job.total)}${left}` : 'Computing…';
}
