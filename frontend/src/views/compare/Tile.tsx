import { UnstyledButton } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Attribution, AttributionRequest, MethodInfo, Sample } from '../../api/schema';
import { fixed, seconds } from '../../base/format';
import { useBound, useMapBound } from '../../state/bound';
import { useCells } from '../../state/cells';
import { SignedContext, useDisplay, useSign } from '../../state/display';
import { useExplanation } from '../../state/explanation';
import { spelledOut } from '../common/abbreviations';
import { VERDICTS, verdictOf } from '../common/completeness';
import frame from '../common/Frame.module.css';
import { JobNote } from '../common/JobNote';
import { FeatureView } from '../feature/FeatureView';
import { chosenMap } from '../feature/Layers';
import { byStrength, extentOf, largest } from '../feature/weights';
import styles from './Compare.module.css';

interface TileProps {
  sample: Sample;
  request: AttributionRequest;
  method: MethodInfo;
  title: string;
  /** What is said under the title. */
  note?: ReactNode;
  current: boolean;
  /** The explanation in the panel: tiles of bars keep its order, so that rows can be compared. */
  lead: Attribution | undefined;
  onChoose: () => void;
}

/** One of several explanations of the same sample and class, small; a click shows it everywhere. */
export function Tile({ sample, request, method, title, note, current, lead, onChoose }: TileProps) {
  const explanation = useExplanation(request);
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
        {attribution && state === 'done' && <Facts attribution={attribution} method={method} />}
      </li>
    </SignedContext>
  );
}

function placesOf(lead: Attribution | undefined, place: number): number[] | undefined {
  const input = lead?.inputs[place];
  return input?.kind === 'general' ? byStrength(input.weights) : undefined;
}

/** Completeness in a word, how long it took, and how far the colours reach. */
function Facts({ attribution, method }: { attribution: Attribution; method: MethodInfo }) {
  const { completeness, inputs } = attribution;
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
      {inputs.length === 1 && <Reach input={inputs[0]} />}
    </p>
  );
}

/** The value at which colours and bars are full. */
function Reach({ input }: { input: Attribution['inputs'][number] | undefined }) {
  const { channels } = useDisplay().display;
  const sign = useSign();
  const map = input?.kind === 'image' ? chosenMap(input, channels) : undefined;
  const cells = useCells(map);
  const ofMap = useMapBound(cells);
  const weighed = input && 'weights' in input ? input : undefined;
  const ofWeights = useBound(weighed?.kind ?? 'text', weighed ? largest(weighed.weights) : 0);
  if (!weighed && !cells) return null;
  const extent = weighed ? extentOf(weighed.weights) : cells;
  const unsigned = sign === 'absolute' || (extent?.minimum ?? 0) >= 0;
  const reach = fixed(weighed ? ofWeights : ofMap);
  return <span className={styles.reach}>{unsigned ? `0 – ${reach}` : `±${reach}`}</span>;
}
