import { useDidUpdate, useElementSize, useMergedRef } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type RefObject, useEffect, useRef } from 'react';
import type { Sample } from '../../api/schema';
import type { SampleList } from '../../state/data';
import { useQuestion } from '../../state/question';
import { useReport } from '../../state/report';
import { Card } from './Card';
import styles from './Look.module.css';

const NARROWEST = 232; // px, a card of one image
const GAP = 12;
const ESTIMATE = 290; // px, before a row is measured

interface CardsProps {
  list: SampleList;
  samples: Sample[];
  selected: number | null;
  /** Whether the selected sample is still to be loaded. */
  sought: boolean;
  /** Told how many cards are in a row. */
  inRow: RefObject<number>;
  onSelect: (index: number) => void;
}

/** A grid of cards of which only those near the screen exist. */
export function Cards({ list, samples, selected, sought, inRow, onSelect }: CardsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const size = useElementSize();
  const { model, outcome, predicted, actual, order } = useQuestion().question;
  useDidUpdate(() => {
    scroller.current?.scrollTo({ top: 0 });
  }, [model, outcome, String(predicted), String(actual), order]);
  const columns = columnsFor(size.width, samples[0]);
  useEffect(() => {
    inRow.current = columns;
  }, [inRow, columns]);
  const rows = Math.ceil(samples.length / columns);
  const virtual = useVirtualizer({
    count: rows,
    getScrollElement: () => scroller.current,
    estimateSize: () => ESTIMATE,
    overscan: 1,
    getItemKey: (row) => samples[row * columns]?.index ?? row,
  });
  const items = virtual.getVirtualItems();
  useMore(list, sought || (items.at(-1)?.index ?? 0) >= rows - 2);
  useReveal(virtual, samples, size.width > 0 ? columns : null, selected);
  const drawn = items.flatMap((item) => samples.slice(item.index * columns, (item.index + 1) * columns));
  const stop = drawn.find(({ index }) => index === selected) ?? drawn[0];
  const { startIndex, endIndex } = virtual.range ?? { startIndex: 0, endIndex: -1 };
  const inView = samples.slice(startIndex * columns, (endIndex + 1) * columns);
  return (
    <div ref={useMergedRef(scroller, size.ref)} className={styles.scroller} data-testid="cards">
      <div
        className={styles.canvas}
        data-stale={list.isPlaceholderData || undefined}
        style={{ height: virtual.getTotalSize() }}
      >
        {items.map((item) => (
          <div
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            className={styles.row}
            style={{
              transform: `translateY(${item.start}px)`,
              gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
            }}
          >
            {samples.slice(item.index * columns, (item.index + 1) * columns).map((sample) => (
              <Card
                key={sample.index}
                sample={sample}
                selected={sample.index === selected}
                stop={sample === stop}
                onSelect={onSelect}
              />
            ))}
          </div>
        ))}
      </div>
      <Report samples={inView} selected={selected} />
      {list.isFetchingNextPage && <div className={styles.end}>Loading more…</div>}
    </div>
  );
}

/** Alone in a component, so that only this is drawn again whenever something is asked for. */
function Report({ samples, selected }: { samples: Sample[]; selected: number | null }) {
  useReport(
    samples.map((sample) => sample.index),
    selected,
  );
  return null;
}

function columnsFor(width: number, sample: Sample | undefined): number {
  const wide = (sample?.inputs.filter((input) => input.kind !== 'empty').length ?? 1) > 1;
  const least = wide ? NARROWEST * 1.35 : NARROWEST;
  return Math.max(1, Math.floor((width + GAP) / (least + GAP)));
}

/** Asks for the next page when the end comes near. */
function useMore({ hasNextPage, isFetching, fetchNextPage, error }: SampleList, near: boolean): void {
  useEffect(() => {
    if (near && hasNextPage && !isFetching && !error) void fetchNextPage();
  }, [near, hasNextPage, isFetching, error, fetchNextPage]);
}

/** Keeps the selected card on screen while the selection moves; waits until the columns are known. */
function useReveal(
  virtual: { scrollToIndex: (row: number, options: { align: 'auto' }) => void },
  samples: Sample[],
  columns: number | null,
  selected: number | null,
): void {
  const shown = useRef<number | null>(null);
  useEffect(() => {
    const at = samples.findIndex((sample) => sample.index === selected);
    if (columns === null || at < 0 || shown.current === selected) return;
    shown.current = selected;
    virtual.scrollToIndex(Math.floor(at / columns), { align: 'auto' });
  }, [virtual, samples, columns, selected]);
}
