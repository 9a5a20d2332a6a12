import {
  type InfiniteData,
  keepPreviousData,
  skipToken,
  useInfiniteQuery,
  useQuery,
} from '@tanstack/react-query';
import { useCallback, useEffect, useRef } from 'react';
import { NOT_YET } from '../api/failure';
import type { Progress, Sample, SamplePage, Summary, Workspace } from '../api/schema';
import type { Question } from './question';
import { refetchLost, useServices } from './services';
import { useWorkspace } from './workspace';

const POLL = 400; // ms
const POLL_MANY = 2000; // ms, once several pages are loaded
const PAGE = 24;

/** How far to read: all of small data, else as far as the person asked. */
export function scanTarget(
  asked: number | null,
  progress: Progress | undefined,
  { scan_step, scan_all_below }: Pick<Workspace, 'scan_step' | 'scan_all_below'>,
): number {
  const size = progress?.size ?? null;
  if (size !== null && size <= scan_all_below) return Math.max(scan_step, size, asked ?? 0);
  return Math.min(asked ?? scan_step, Number.MAX_SAFE_INTEGER); // an address may say anything
}

/** When to ask again: only while the server is reading. */
export function pollInterval(progress: Progress | undefined, pages = 1): number | false {
  if (!progress?.scanning) return false;
  return pages > 2 ? POLL_MANY : POLL;
}

/** When to ask again for samples: only while one of them is being drawn. */
export function pollDrawing(samples: Pick<Sample, 'error'>[]): number | false {
  return samples.some(({ error }) => error?.type === NOT_YET) && POLL_MANY;
}

function listed(data: InfiniteData<SamplePage> | undefined): Sample[] {
  return data?.pages.flatMap((page) => page.samples) ?? [];
}

export function useWorkspaceQuery() {
  const { api } = useServices();
  return useQuery({
    queryKey: ['workspace'],
    queryFn: ({ signal }) => api.workspace(signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Fetches the workspace again once the server has learnt more of it, as the tasks of its models. */
export function useFreshWorkspace(progress: Progress | undefined): void {
  const { queries } = useServices();
  const { revision } = useWorkspace();
  const newest = progress?.workspace ?? revision;
  useEffect(() => {
    if (newest !== revision) void queries.invalidateQueries({ queryKey: ['workspace'] });
  }, [queries, newest, revision]);
}

function filterOf({ model, predicted, actual, outcome, above, below }: Question) {
  const scores = { score_from: finite(above), score_below: finite(below) };
  return { model, predicted, actual, outcome, ...scores };
}

function finite(value: number | null): number | undefined {
  return value !== null && Number.isFinite(value) ? value : undefined;
}

/** Counts for the whole of what was scanned; asked again while the server scans. */
export function useSummary(question: Question) {
  const { api } = useServices();
  const workspace = useWorkspace();
  const filter = filterOf(question);
  const progress = useRef<Progress>(undefined);
  const query = useQuery({
    queryKey: ['summary', filter],
    queryFn: ({ signal }) =>
      api.summary({ ...filter, scan_to: scanTarget(question.scan, progress.current, workspace) }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => pollInterval(state.data?.progress),
  });
  progress.current = query.data?.progress;
  useAgain(scanTarget(question.scan, query.data?.progress, workspace), query.refetch);
  return query;
}

/** The samples that match, page by page. */
export function useSamples(question: Question) {
  const { api } = useServices();
  const workspace = useWorkspace();
  const filter = { ...filterOf(question), order: question.order };
  const progress = useRef<Progress>(undefined);
  const query = useInfiniteQuery({
    queryKey: ['samples', filter],
    queryFn: ({ pageParam, signal }) => {
      const scan_to = scanTarget(question.scan, progress.current, workspace);
      return api.samples({ ...filter, scan_to, cursor: pageParam ?? undefined, limit: PAGE }, signal);
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      pollInterval(newest(state.data), state.data?.pages.length) || pollDrawing(listed(state.data)),
  });
  progress.current = newest(query.data);
  useAgain(scanTarget(question.scan, newest(query.data), workspace), query.refetch);
  return query;
}

export type SampleList = ReturnType<typeof useSamples>;

/** A sample by its number: known already where the list has it, and kept when the list loses it. */
export function useSample(index: number | null, listed: Sample | undefined) {
  const { api, queries } = useServices();
  useEffect(() => {
    if (listed) queries.setQueryData(['sample', listed.index], listed);
  }, [queries, listed]);
  return useQuery({
    queryKey: ['sample', index],
    queryFn: index === null || listed ? skipToken : ({ signal }) => api.sample(index, signal),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: ({ state }) => pollDrawing(state.data ? [state.data] : []),
  });
}

/** Asks again everything on screen that found no server. */
export function useReconnect(): () => void {
  const { queries } = useServices();
  return useCallback(() => refetchLost(queries), [queries]);
}

/** How far the data has been read, and how many samples match. */
export interface Counts {
  progress: Progress | undefined;
  matched: number;
}

/** The counts of one answer, so that no two on screen are of different moments: of the summary, once there is one. */
export function countsOf(summary: Summary | undefined, { data }: SampleList): Counts {
  if (summary) return summary;
  return { progress: newest(data), matched: data?.pages[0]?.matched ?? 0 };
}

/** How far the data had been read at the last answer. */
function newest(data: InfiniteData<SamplePage> | undefined): Progress | undefined {
  const seen = data?.pages.map((page) => page.progress) ?? [];
  return seen.reduce<Progress | undefined>((a, b) => (a && a.scanned > b.scanned ? a : b), undefined);
}

/** Whether the data is known to end before a sample. */
export function endsBefore(index: number, { data }: SampleList): boolean {
  const progress = newest(data);
  const end = progress?.exhausted ? progress.scanned : progress?.size;
  return typeof end === 'number' && index >= end;
}

/** Asks again when the target moves on, without giving up what is on screen. */
function useAgain(target: number, refetch: () => unknown): void {
  const before = useRef(target);
  useEffect(() => {
    if (before.current !== target) void refetch();
    before.current = target;
  }, [target, refetch]);
}
