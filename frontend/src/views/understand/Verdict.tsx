import { Tooltip, UnstyledButton } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconInfoCircle } from '@tabler/icons-react';
import type { Attribution, MethodInfo } from '../../api/schema';
import { percent, plural } from '../../base/format';
import { completenessError, VERDICTS, verdictOf } from '../common/completeness';
import styles from './Verdict.module.css';

interface VerdictProps {
  attribution: Attribution;
  method: MethodInfo;
  onMore: () => void;
}

/** How far to trust an explanation, in a few words beside its numbers; a click shows why. */
export function Verdict({ attribution, method, onMore }: VerdictProps) {
  const { completeness, warnings } = attribution;
  const verdict = completeness && verdictOf(completeness);
  const doubtful = (verdict !== null && verdict !== 'good' && method.complete) || warnings.length > 0;
  const tone = doubtful || method.caveat ? 'warn' : verdict === 'good' ? 'good' : 'info';
  const Icon = { warn: IconAlertTriangle, good: IconCircleCheck, info: IconInfoCircle }[tone];
  return (
    <Tooltip label="How far to trust it: the reasons are below">
      <UnstyledButton className={styles.verdict} data-tone={tone} onClick={onMore}>
        <Icon size={14} stroke={1.9} aria-hidden />
        {words(attribution, method)}
      </UnstyledButton>
    </Tooltip>
  );
}

function words({ completeness, warnings }: Attribution, { caveat }: MethodInfo): string {
  const verdict = completeness && verdictOf(completeness);
  const error = completeness && completenessError(completeness);
  const off = verdict === 'bad' && error !== null ? `, ${percent(error)} off` : '';
  const warned = warnings.length > 0 ? plural(warnings.length, 'warning') : '';
  const said = verdict ? `${VERDICTS[verdict]}${off}` : caveat ? 'read with care' : 'not measured';
  return [said, warned].filter(Boolean).join(' · ');
}
