import { UnstyledButton } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Attribution, AttributionRequest, MethodInfo, Sample } from '../../api/schema';
import { seconds } from '../../base/format';
import { SignedContext } from '../../state/display';
import { useExplanation } from '../../state/explanation';
import { spelledOut } from '../common/abbreviations';
import { VERDICTS, verdictOf } from '../common/completeness';
import frame from '../common/Frame.module.css';
import { JobNote } from '../common/JobNote';
import { FeatureView } from '../feature/FeatureView';
import { Reach } from '../feature/Reach';
import { byStrength } from '../feature/weights';
import styles from './Compare.module.css';

interface TileProps {
  sample: Sample;
  request: AttributionRequest;
  method: MethodInfo;
  /** Whether all is known that the request needs. */
  ready: boolean;
  title: string;
  /** What is said under the title. */
  note?: ReactNode;
  current: boolean;
  /** The explanation in the panel: tiles of bars keep its order, so that rows can be compared. */
  lead: Attribution | undefined;
  onChoose: () => void;
}

/** One of several explanations of the same sample and class, small; a click shows it everywhere. */
export function Tile({ sample, request, method, ready, title, note, current, lead, onChoose }: TileProps) {
  const explanation = useExplanation(request, ready);
  const { attribution, stale, state } = explanation;
  return (
    <SignedContext value={attribution?.signed ?? true}>
      <li className={`${frame.frame} ${styles.tile}`} data-selected={current || undefined}>
        <UnstyledButton
          className={styles.choose}
          aria-pressed={current}
          title={spelledOut(title) ?? title}
          onClick={onChoose}
        >
          {title}
        </UnstyledButton>
        {note}
        <div className={styles.pending}>
          <div className={styles.inputs} data-stale={stale || undefined}>
            {(attribution || state !== 'failed') &&
              sample.inputs.map((input, i) => (
                <FeatureView
                  key={i}
                  input={input}
                  attribution={attribution?.inputs[i]}
                  size="tile"
                  places={placesOf(lead, i)}
                />
              ))}
          </div>
          <JobNote explanation={explanation} brief />
        </div>
        {attribution && state === 'done' && (
          <Facts sample={sample} attribution={attribution} method={method} />
        )}
      </li>
    </SignedContext>
  );
}

function placesOf(lead: Attribution | undefined, place: number): number[] | undefined {
  const input = lead?.inputs[place];
  return input?.kind === 'general' ? byStrength(input.weights) : undefined;
}

interface FactsProps {
  sample: Sample;
  attribution: Attribution;
  method: MethodInfo;
}

/** Completeness in a word, how long it took, and how far the colours reach. */
function Facts({ sample, attribution, method }: FactsProps) {
  const { completeness } = attribution;
  const [[input], [reached]] = [sample.inputs, attribution.inputs];
  const verdict = completeness && verdictOf(completeness);
  return (
    <p className={styles.facts}>
      {verdict && (
        <>
          <span data-tone={verdict === 'good' ? 'good' : method.complete ? 'warn' : undefined}>
            {VERDICTS[verdict]}
          </span>
          {' · '}
        </>
      )}
      {seconds(attribution.seconds)}
      {input && reached && sample.inputs.length === 1 && (
        <span className={styles.reach}>
          <Reach input={input} attribution={reached} />
        </span>
      )}
    </p>
  );
}
