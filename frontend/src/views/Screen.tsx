import { useElementSize } from '@mantine/hooks';
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useSample, useSamples, useSummary } from '../state/data';
import { useHost } from '../state/host';
import { layoutFor } from '../state/layout';
import { useQuestion } from '../state/question';
import { type Row, useSelectionKeys } from '../state/selection';
import { useServices } from '../state/services';
import { ErrorBoundary } from './common/ErrorBoundary';
import { Main } from './common/Main';
import { Find } from './find/Find';
import { Header } from './header/Header';
import { Look } from './look/Look';
import styles from './Screen.module.css';
import { Understand } from './understand/Understand';

const FindDrawer = lazy(() => import('./find/FindDrawer'));

/** The three zones: find, look, understand. */
export function Screen() {
  const { question, change } = useQuestion();
  const { ref, width } = useElementSize();
  const layout = layoutFor(width);
  const [finding, setFinding] = useState(false);
  const [wantsDrawer, setWantsDrawer] = useState(false); // fetched when first opened
  const openFind = () => {
    setWantsDrawer(true);
    setFinding(true);
  };
  const list = useSamples(question);
  const summary = useSummary(question);
  const samples = useMemo(() => list.data?.pages.flatMap((page) => page.samples) ?? [], [list.data]);
  const selected = question.sample ?? (layout === 'narrow' ? null : (samples[0]?.index ?? null));
  const listed = samples.find((each) => each.index === selected);
  const single = useSample(selected, listed);
  const sample = listed ?? single.data;
  const over = layout === 'narrow' && selected !== null;

  const { slots } = useServices();
  useEffect(() => slots.look(selected), [slots, selected]);

  const select = useCallback(
    (index: number | null, replace = false) => change({ sample: index, target: null }, { replace }),
    [change],
  );
  const look = useRef<HTMLElement>(null);
  const columns = useRef(1);
  const step = useCallback(
    (by: number | Row) => {
      const at = samples.findIndex((each) => each.index === selected);
      const next = samples[nextPlace(at, by, columns.current, samples.length)];
      if (!next || next.index === selected) return;
      const focused = look.current?.querySelector('[data-sample]:focus');
      select(next.index, true);
      if (focused) focusSample(look.current, next.index);
    },
    [samples, selected, select],
  );
  const close = useCallback(() => {
    if (!over) return;
    select(null);
    focusSample(look.current, selected);
  }, [over, select, selected]);
  useSelectionKeys(useHost().keys(), step, close);
  // The first of a list that is still being scanned changes, but not under the hands of who uses it.
  const hold = () => question.sample === null && change({ sample: selected }, { replace: true });

  const find = <Find query={summary} />;
  return (
    <>
      <Header layout={layout} />
      <div ref={ref} className={styles.zones} data-layout={layout}>
        {width > 0 && (
          <>
            {layout === 'wide' && (
              <aside className={styles.find} aria-label="Find">
                {find}
              </aside>
            )}
            <Main ref={look} className={styles.look} aria-label="Samples" inert={over}>
              <Look
                list={list}
                samples={samples}
                selected={selected}
                columns={columns}
                onSelect={select}
                onFind={layout === 'wide' ? undefined : openFind}
              />
            </Main>
            {(layout !== 'narrow' || over) && (
              <section
                className={styles.understand}
                aria-label="Selected sample"
                onPointerDownCapture={hold}
                onFocusCapture={hold}
              >
                <Understand
                  key={selected}
                  index={selected}
                  sample={sample}
                  single={single}
                  list={list}
                  onStep={step}
                  onClose={over ? close : undefined}
                />
              </section>
            )}
          </>
        )}
      </div>
      {wantsDrawer && layout !== 'wide' && (
        <ErrorBoundary fallback={null}>
          <Suspense>
            <FindDrawer opened={finding} onClose={() => setFinding(false)}>
              {find}
            </FindDrawer>
          </Suspense>
        </ErrorBoundary>
      )}
    </>
  );
}

/** Where a step leads from place `at`: rows end where the grid does, the last one may be short. */
export function nextPlace(at: number, by: number | Row, columns: number, total: number): number {
  if (by === 'above') return at < columns ? at : at - columns;
  return Math.min(total - 1, Math.max(0, at + (by === 'below' ? columns : by)));
}

/** Moves the focus to a card, once it is drawn. */
function focusSample(within: HTMLElement | null, index: number | null): void {
  requestAnimationFrame(() => within?.querySelector<HTMLElement>(`[data-sample="${index}"]`)?.focus());
}
