import { IconAlertTriangle, IconCircleCheck, IconInfoCircle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Attribution, Completeness, MethodInfo } from '../../api/schema';
import { number, percent, seconds, signed } from '../../base/format';
import { sentence } from '../../base/sentence';
import { useWorkspace } from '../../state/workspace';
import { completenessError, type Verdict, verdictOf } from '../common/completeness';
import { Section } from '../common/Section';
import styles from './Understand.module.css';

/** Whether the explanation adds up, what the server warns of, and how long it took. */
export function Trust({ attribution, stale }: { attribution: Attribution; stale: boolean }) {
  const { methods } = useWorkspace();
  const method = methods.find((each) => each.name === attribution.method);
  return (
    <Section title="How far to trust it">
      <ul className={styles.trust} data-stale={stale || undefined}>
        {method?.caveat && <Item tone="warn">{method.caveat}</Item>}
        <CompletenessItem completeness={attribution.completeness} method={method} />
        {attribution.warnings.map((warning, i) => (
          <Item key={i} tone="warn">
            {sentence(warning)}
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
  const steps = method?.parameters.some(({ name }) => name === 'n_steps');
  const { total, change, delta, cancellation, cancels } = completeness;
  const error = completenessError(completeness);
  const verdict = verdictOf(completeness);
  return (
    <Item tone={TONES[verdict] === 'warn' && !method?.complete ? 'info' : TONES[verdict]}>
      {VERDICT_SENTENCES[verdict]} They sum to <b>{signed(total)}</b>, the output changed by{' '}
      <b>{signed(change)}</b> from the baseline: a difference of <b>{signed(delta)}</b>
      {error !== null && ` (${percent(error)})`}.{' '}
      {cancellation !== null && cancellation >= TOLD_FROM && (
        <>
          The parts for and against come to <b>{times(cancellation)}</b> that sum
          {cancels && ': much of each is taken back by others, so read no part on its own'}.
        </>
      )}
      {verdict === 'bad' && steps && ' More steps may help.'}
    </Item>
  );
}

const TOLD_FROM = 2; // from where cancellation is worth a sentence

const TONES = { good: 'good', cancels: 'warn', bad: 'warn' } as const;

const VERDICT_SENTENCES: Record<Verdict, string> = {
  good: 'The attributions add up.',
  cancels: 'The attributions add up, but only because large ones cancel.',
  bad: 'The attributions do not add up.',
};

/** 63.2 → "63 times", 3.21 → "3.2 times". */
function times(ratio: number): string {
  return `${number(Number(ratio.toPrecision(2)))} times`;
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
