import type { RefObject } from 'react';
import { exceptionName, Failure } from '../../api/failure';
import type { ApiError, Sample } from '../../api/schema';
import { plural } from '../../base/format';
import { sentences } from '../../base/sentence';
import { type Counts, type SampleList, useReconnect } from '../../state/data';
import { useQuestion } from '../../state/question';
import { Banner, Failed } from '../common/Notice';
import { UnknownNote } from '../common/UnknownNote';
import { Cards } from './Cards';
import { ChangedNote } from './ChangedNote';
import { Filters } from './Filters';
import styles from './Look.module.css';
import { NothingFound } from './NothingFound';
import { ScanLine } from './ScanLine';

interface LookProps {
  list: SampleList;
  /** How far the data has been read and what matches, as everywhere on screen. */
  counts: Counts;
  samples: Sample[];
  selected: number | null;
  /** Whether the selected sample is still to be loaded into the list. */
  sought: boolean;
  /** Told how many cards are in a row. */
  columns: RefObject<number>;
  onSelect: (index: number) => void;
  onFind: (() => void) | undefined;
}

/** The samples that match, and how far the data has been read. */
export function Look({ list, counts, samples, selected, sought, columns, onSelect, onFind }: LookProps) {
  const { question } = useQuestion();
  const { progress, matched } = counts;
  const { error, refetch, isRefetching } = list;
  const reconnect = useReconnect();
  const retry = () => {
    void refetch();
    reconnect();
  };
  if (error && samples.length === 0) return <Failed error={error} retry={retry} retrying={list.isFetching} />;
  return (
    <>
      <div className={styles.bar}>
        <ScanLine progress={progress} matched={matched} onFind={onFind} />
        <Filters question={question} />
        <UnknownNote />
        <ChangedNote progress={progress} />
        {error && <Banner error={Failure.from(error)} retry={retry} retrying={isRefetching} />}
        {progress?.error && <Banner error={stopped(progress.error, progress.scanned)} />}
      </div>
      {list.data && progress && samples.length === 0 ? (
        <NothingFound progress={progress} />
      ) : (
        <Cards
          list={list}
          samples={samples}
          selected={selected}
          sought={sought}
          inRow={columns}
          onSelect={onSelect}
        />
      )}
    </>
  );
}

function stopped(error: ApiError, scanned: number): ApiError {
  const name = exceptionName(error);
  const message = `Reading the data stopped after ${plural(scanned, 'sample')}.`;
  const why = name ? `${name}: ${error.message}` : error.message;
  return { ...error, message, hint: sentences(why, error.hint) };
}
