import type { RefObject } from 'react';
import { Failure } from '../../api/failure';
import type { ApiError, Sample } from '../../api/schema';
import { count } from '../../base/format';
import { newest, type SampleList, useReconnect } from '../../state/data';
import { useQuestion } from '../../state/question';
import { Banner, Failed } from '../common/Notice';
import { Cards } from './Cards';
import { Filters } from './Filters';
import styles from './Look.module.css';
import { NothingFound } from './NothingFound';
import { ScanLine } from './ScanLine';

interface LookProps {
  list: SampleList;
  samples: Sample[];
  selected: number | null;
  /** Told how many cards are in a row. */
  columns: RefObject<number>;
  onSelect: (index: number) => void;
  onFind: (() => void) | undefined;
}

/** The samples that match, and how far the data has been read. */
export function Look({ list, samples, selected, columns, onSelect, onFind }: LookProps) {
  const { question } = useQuestion();
  const progress = newest(list.data);
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
        <ScanLine progress={progress} matched={list.data?.pages[0]?.matched ?? 0} onFind={onFind} />
        <Filters question={question} />
        {error && <Banner error={Failure.from(error)} retry={retry} retrying={isRefetching} />}
        {progress?.error && <Banner error={stopped(progress.error, progress.scanned)} />}
      </div>
      {progress && samples.length === 0 ? (
        <NothingFound progress={progress} />
      ) : (
        <Cards list={list} samples={samples} selected={selected} inRow={columns} onSelect={onSelect} />
      )}
    </>
  );
}

function stopped({ type, message, hint }: ApiError, scanned: number): ApiError {
  const text = `Reading the data stopped after ${count(scanned)} samples.`;
  const why = type === 'Refused' ? message : `${type}: ${message}`;
  return { type, message: text, hint: hint ? `${why}. ${hint}` : why };
}
