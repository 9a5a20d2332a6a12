import { IconAlertTriangle, IconCircleCheck, IconInfoCircle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Attribution, Completeness, MethodInfo } from '../../api/schema';
import { percent, seconds, signed } from '../../base/format';
import { useWorkspace } from '../../state/workspace';
import { addsUp, completenessError } from '../common/completeness';
import { Section } from '../common/Section';
import styles from './Understand.module.css';

/** Whether the explanation adds up, what the server warns of, and how long it took. */
export function Trust({ attribution, stale }: { attribution: Attribution; stale: boolean }) {
  const { methods } = useWorkspace();
  const method = methods.find((each) => each.name === attribution.method);
  return (
    <Section title="How far to trust it">
      <ul className={styles.trust} data-stale={stale || undefined}>
        <CompletenessItem completeness={attribution.completeness} method={method} />
        {attribution.warnings.map((warning, i) => (
          <Item key={i} tone="warn">
            {warning}
          </Item>
        ))}
        <Item tone="info">Computed in {seconds(attribution.seconds)}.</Item>
      </ul>
    </Section>
  );
}

function CompletenessItem({
  completeness,
  method,
}: {
  completeness: Completeness | null;
  method: MethodInfo | undefined;
}) {
  if (!completeness) {
    const why = method?.complete
      ? 'It was not measured whether the attributions add up to the change of the output.'
      : `${method?.title ?? 'This method'} does not promise that its attributions add up to the output.`;
    return <Item tone="info">{why}</Item>;
  }
  const { total, change, delta } = completeness;
  const error = completenessError(completeness);
  const good = addsUp(completeness);
  return (
    <Item tone={good || !method?.complete ? (good ? 'good' : 'info') : 'warn'}>
      {good ? 'The attributions add up.' : 'The attributions do not add up.'} They sum to{' '}
      <b>{signed(total)}</b>, the output changed by <b>{signed(change)}</b> from the baseline: a difference of{' '}
      <b>{signed(delta)}</b>
      {error !== null && ` (${percent(error)})`}.
    </Item>
  );
}

const ICONS = { good: IconCircleCheck, warn: IconAlertTriangle, info: IconInfoCircle };

function Item({ tone, children }: { tone: keyof typeof ICONS; children: ReactNode }) {
  const Icon = ICONS[tone];
  return (
    <li data-tone={tone}>
      <Icon size={15} stroke={1.8} aria-hidden />
      <span>{children}</span>
    </li>
  );
}
