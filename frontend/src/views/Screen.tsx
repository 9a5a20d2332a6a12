import { useElementSize } from '@mantine/hooks';
import { type ReactNode, useRef, useState } from 'react';
import { countsOf, useFreshWorkspace, useSamples, useSummary } from '../state/data';
import { useHost } from '../state/host';
import { useShortcuts } from '../state/keys';
import { layoutFor } from '../state/layout';
import { useQuestion } from '../state/question';
import { useListed, useSelected, useSought } from '../state/selection';
import { Main } from './common/Main';
import { SkipLinks } from './common/SkipLinks';
import { FindZone } from './FindZone';
import { Find } from './find/Find';
import { Header } from './header/Header';
import { HelpButton } from './help/HelpButton';
import { Look } from './look/Look';
import styles from './Screen.module.css';
import { Understand } from './understand/Understand';
import { useWalk } from './useWalk';

/** The three zones: find, look, understand. */
export function Screen() {
  const { question } = useQuestion();
  const { ref, width } = useElementSize();
  const layout = layoutFor(width);
  const [finding, setFinding] = useState(false);
  const list = useSamples(question);
  const summary = useSummary(question);
  useFreshWorkspace(summary.data?.progress);
  const samples = useListed(list);
  const selected = useSelected(samples, layout !== 'narrow');
  const counts = countsOf(summary.data, list);
  const sought = useSought(list, selected, counts.progress?.scanning ?? true);
  const over = layout === 'narrow' && selected.index !== null;
  const cards = useRef<HTMLElement>(null);
  const panel = useRef<HTMLElement>(null);
  const columns = useRef(1);
  const { step, close } = useWalk(selected, samples, cards, columns, over);
  useShortcuts(useHost().keys());
  return (
    <>
      <SkipLinks to={{ 'Skip to the samples': cards, 'Skip to the explanation': panel }} />
      <Header layout={layout} help={<HelpButton />} />
      <div ref={ref} className={styles.zones} data-layout={layout}>
        {width > 0 && (
          <>
            <FindZone column={layout === 'wide'} opened={finding} onClose={() => setFinding(false)}>
              <Find query={summary} />
            </FindZone>
            <Main ref={cards} className={styles.look} aria-label="Samples" tabIndex={-1} inert={over}>
              <Look
                list={list}
                counts={counts}
                samples={samples}
                selected={selected.index}
                sought={sought}
                columns={columns}
                onSelect={selected.select}
                onFind={layout === 'wide' ? undefined : () => setFinding(true)}
              />
            </Main>
            {(layout !== 'narrow' || over) && (
              <Cover over={over}>
                <section
                  ref={panel}
                  tabIndex={-1}
                  className={styles.understand}
                  aria-label="Selected sample"
                  onPointerDownCapture={selected.hold}
                  onFocusCapture={selected.hold}
                >
                  <Understand
                    key={selected.index}
                    selected={selected}
                    list={list}
                    onStep={step}
                    onClose={over ? close : undefined}
                  />
                </section>
              </Cover>
            )}
          </>
        )}
      </div>
    </>
  );
}

/** The panel is what the page is about where it lies over the list. */
function Cover({ over, children }: { over: boolean; children: ReactNode }) {
  return over ? <Main className={styles.cover}>{children}</Main> : children;
}
