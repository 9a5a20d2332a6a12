import {
  keepPreviousData,
  queryOptions,
  skipToken,
  useQueries,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import type { Api } from '../api/client';
import { Failure } from '../api/failure';
import type { Attribution, AttributionMap, AttributionRequest, Job } from '../api/schema';
import { useServices } from './services';

export interface Explanation {
  /** The newest explanation there is; `stale` where it answers an earlier question. */
  attribution: Attribution | undefined;
  stale: boolean;
  state: 'waiting' | 'done' | 'failed' | 'cancelled';
  job: Job | undefined;
  failure: Failure | undefined;
  cancel: () => void;
  retry: () => void;
}

/** The explanation of a sample: asked for when first shown, cancelled when nothing shows it any more. */
export function useExplanation(request: AttributionRequest, enabled = true): Explanation {
  const { explain } = useServices();
  const queries = useQueryClient();
  const progressKey = ['job', request];
  const queryKey = explanationKey(request);
  const query = useQuery({
    queryKey,
    queryFn: ({ signal }) => explain(request, signal, (job) => queries.setQueryData(progressKey, job)),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    retryOnMount: false,
    enabled,
  });
  const progress = useQuery<Job>({ queryKey: progressKey, queryFn: skipToken });
  const state = query.isError
    ? 'failed'
    : query.isSuccess && !query.isPlaceholderData
      ? 'done'
      : query.fetchStatus === 'idle'
        ? 'cancelled'
        : 'waiting';
  return {
    attribution: query.data,
    stale: query.isPlaceholderData,
    state,
    job: state === 'waiting' ? progress.data : undefined,
    failure: query.error ? Failure.from(query.error) : undefined,
    // biome-ignore lint/correctness/useExhaustiveDependencies: the key is made of the request
    cancel: useCallback(() => void queries.cancelQueries({ queryKey }), [queries, request]),
    retry: useCallback(() => void query.refetch(), [query.refetch]),
  };
}

function explanationKey(request: AttributionRequest) {
  return ['explanation', request];
}

/** The explanations that there are of what is asked for elsewhere on the screen. */
export function useKnown(requests: AttributionRequest[]): (Attribution | undefined)[] {
  const known = (request: AttributionRequest) =>
    queryOptions<Attribution>({ queryKey: explanationKey(request), queryFn: skipToken });
  return useQueries({ queries: requests.map(known) }).map(({ data }) => data);
}

type RawMap = Pick<AttributionMap, 'url' | 'scale'>;

/** The raw numbers of a map, scaled. */
export function useMapValues(map: RawMap | undefined) {
  const { api } = useServices();
  return useQuery(mapQuery(api, map));
}

/** The same of several maps, of which some are not there yet. */
export function useMapsValues(maps: (RawMap | undefined)[]): (Float32Array | undefined)[] {
  const { api } = useServices();
  const there = maps.filter((map) => map !== undefined);
  const answers = useQueries({ queries: there.map((map) => mapQuery(api, map)) });
  return maps.map((map) => map && answers[there.indexOf(map)]?.data);
}

function mapQuery(api: Api, map: RawMap | undefined) {
  return queryOptions({
    queryKey: ['map', map?.url, map?.scale],
    queryFn: async ({ signal }) => {
      const values = await api.map(map?.url ?? '', signal);
      const scale = map?.scale ?? 1;
      return scale === 1 ? values : values.map((value) => value * scale);
    },
    enabled: map !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
  });
}

/** What an <img> can show: the address itself, or the bytes fetched where the browser could not reach it. */
export function usePicture(url: string) {
  const { api } = useServices();
  const address = api.address(url);
  const [broken, setBroken] = useState<string>();
  const direct = address !== undefined && address !== broken;
  const fetched = useQuery({
    queryKey: ['picture', url],
    queryFn: ({ signal }) => api.picture(url, signal),
    enabled: !direct,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return {
    source: direct ? address : fetched.data,
    missing: !direct && fetched.isError,
    onError: () => setBroken(address),
  };
}
