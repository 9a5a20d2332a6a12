import { useEffect, useState } from 'react';
import type { SampleInput } from '../../api/client';
import type { Attribution, AttributionRequest, Sample } from '../../api/schema';
import { type Agreement as Alike, agreementOf, strongestCount } from '../../base/agreement';
import { count, percent } from '../../base/format';
import { useDisplay } from '../../state/display';
import { useKnown } from '../../state/explanation';
import styles from './Agreement.module.css';
import { isSigned, useNumbers } from './useNumbers';

interface AgreementProps {
  sample: Sample;
  /** What is compared, by name. */
  names: string[];
  requests: AttributionRequest[];
}

/** How far explanations of one sample agree, in numbers: for each of its inputs. */
export function Agreement({ sample, names, requests }: AgreementProps) {
  const attributions = useKnown(requests);
  if (requests.length < 2) return null;
  return sample.inputs.map(
    (input, place) =>
      input.kind !== 'empty' && (
        <OfInput
          key={place}
          input={input}
          title={sample.inputs.length > 1 ? `Agreement on ${input.name}` : 'Agreement'}
          place={place}
          names={names}
          attributions={attributions}
        />
      ),
  );
}

interface OfInputProps {
  input: SampleInput;
  title: string;
  place: number;
  names: string[];
  attributions: (Attribution | undefined)[];
}

function OfInput({ input, title, place, names, attributions }: OfInputProps) {
  const { channels } = useDisplay().display;
  const inputs = attributions.map((each) => each?.inputs[place]);
  const { lists, nouns } = useNumbers(input, inputs);
  const haveSigns = attributions.map((each, i) => isSigned(each?.signed ?? true, inputs[i], channels));
  const pairs = usePairs(lists, haveSigns);
  const length = lists.find((list) => list)?.length;
  if (!length) return null;
  const strongest = strongestOf(length, nouns);
  const [only] = pairs;
  return (
    <div className={styles.agreement}>
      <h3>{title}</h3>
      {names.length === 2 ? (
        <p>{only === undefined ? '…' : only === null ? NOTHING : inWords(only, strongest)}</p>
      ) : (
        <Table names={names} pairs={pairs} label={title} strongest={strongest} />
      )}
      {haveSigns.includes(false) && haveSigns.includes(true) && (
        <p className={styles.note}>Where one of two has no signs, sizes are compared.</p>
      )}
    </div>
  );
}

const NOTHING = 'There is nothing to compare: one of them is the same everywhere, or not finite.';

/** "Strongest 10 % of pixels", "strongest 5 columns". */
function strongestOf(length: number, nouns: string): string {
  const most = strongestCount(length);
  return most === Math.round(length / 10)
    ? `strongest 10 % of ${nouns}`
    : `strongest ${count(most)} ${nouns}`;
}

function inWords({ correlation, overlap }: Alike, strongest: string) {
  return (
    <>
      Rank correlation (Spearman) <b>{rounded(correlation)}</b>. Of the {strongest},{' '}
      <b>{percent(overlap, 0)}</b> are the same.
    </>
  );
}

/** 0.8312 → "+0.83". */
function rounded(correlation: number): string {
  const size = Math.abs(correlation).toFixed(2);
  if (Number(size) === 0) return size;
  return `${correlation < 0 ? '\u2212' : '+'}${size}`;
}

interface TableProps {
  names: string[];
  pairs: readonly (Alike | null | undefined)[];
  label: string;
  strongest: string;
}

/** Rank correlations above the diagonal, what the strongest have in common below it. */
function Table({ names, pairs, label, strongest }: TableProps) {
  return (
    <div className={styles.scroll}>
      <table aria-label={label}>
        <thead>
          <tr>
            <td />
            {names.map((name, column) => (
              <th key={column} scope="col" aria-label={name} title={name}>
                {column + 1}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name, row) => (
            <tr key={row}>
              <th scope="row" title={name}>
                {row + 1} {name}
              </th>
              {names.map((_, column) => (
                <Entry
                  key={column}
                  pair={row === column ? undefined : pairs[pairPlace(row, column, names.length)]}
                  above={row < column}
                  same={row === column}
                />
              ))}
            </tr>
          ))}
        </tbody>
        <caption>
          Above the diagonal: rank correlation (Spearman). Below: how many of the {strongest} are the same.
        </caption>
      </table>
    </div>
  );
}

interface EntryProps {
  pair: Alike | null | undefined;
  above: boolean;
  same: boolean;
}

function Entry({ pair, above, same }: EntryProps) {
  if (same) return <td className={styles.same} />;
  if (!pair) return <td>{pair === null ? '–' : '…'}</td>;
  const share = above ? Math.abs(pair.correlation) : pair.overlap;
  return (
    <td style={{ '--share': `${Math.round(30 * share)}%` } as object}>
      {above ? rounded(pair.correlation) : percent(pair.overlap, 0)}
    </td>
  );
}

/** The agreement of each pair of lists, computed one after the other so that nothing waits; undefined where it is not known yet. */
function usePairs(lists: (Float32Array | undefined)[], haveSigns: boolean[]) {
  const [pairs, setPairs] = useState<(Alike | null | undefined)[]>([]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: lists of parts that stay the same
  useEffect(() => {
    const todo = lists.flatMap((_, i) => lists.slice(i + 1).map((_, j) => [i, i + 1 + j] as const));
    const known: (Alike | null | undefined)[] = todo.map(() => undefined);
    let timer: ReturnType<typeof setTimeout>;
    const step = (place: number) => {
      const [i, j] = todo[place] ?? [0, 0];
      const [a, b] = [lists[i], lists[j]];
      if (a && b) {
        known[place] = agreementOf(a, b, Boolean(haveSigns[i] && haveSigns[j]));
        setPairs([...known]);
      }
      if (place + 1 < todo.length) timer = setTimeout(() => step(place + 1));
    };
    setPairs([]);
    timer = setTimeout(() => step(0));
    return () => clearTimeout(timer);
  }, [lists, ...haveSigns]);
  return pairs;
}

/** The place of a pair among all pairs in order: 0–1, 0–2, …, 1–2, … */
function pairPlace(a: number, b: number, total: number): number {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  return low * total - (low * (low + 1)) / 2 + high - low - 1;
}
