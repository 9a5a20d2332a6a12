import { queryOptions, useQueries, useQuery } from '@tanstack/react-query';
import type { Api } from '../api/client';
import { Failure, NOT_YET } from '../api/failure';
import type { AttributionRequest, ModelInfo } from '../api/schema';
import { useServices } from './services';

/** Asked once, and again only while the server has other work to do first. */
const FOREVER = {
  staleTime: Number.POSITIVE_INFINITY,
  retry: (_: number, error: Error) => Failure.from(error).type === NOT_YET,
  retryDelay: 1000, // ms
};

/** The layers of a model, and which of them people look at first. */
export function useLayers(model: number, enabled = true) {
  const { api } = useServices();
  return useQuery(layersQuery(api, model, enabled));
}

function layersQuery(api: Api, model: number, enabled: boolean) {
  return queryOptions({
    queryKey: ['layers', model],
    queryFn: ({ signal }) => api.layers(model, signal),
    enabled,
    ...FOREVER,
  });
}

/** Where a method at a layer looks in each model: null where there is no such layer, undefined while it is not known. */
export function useUsualLayers(models: ModelInfo[], enabled: boolean): (string | null | undefined)[] {
  const { api } = useServices();
  const known = useQueries({
    queries: models.map(({ default_layer }, model) => layersQuery(api, model, enabled && !default_layer)),
  });
  return models.map(({ default_layer }, model) => {
    if (!enabled || default_layer !== null) return default_layer;
    const { data, isPending } = known[model] ?? {};
    return isPending ? undefined : (data?.suggested[0]?.name ?? null);
  });
}

/** Which methods work on a model and what they cost, by name; empty while it is not known. */
export function useOffers(model: number, enabled: boolean) {
  const { api } = useServices();
  const { data } = useQuery({
    queryKey: ['offers', model],
    queryFn: ({ signal }) => api.methods(model, signal),
    enabled,
    ...FOREVER,
  });
  return new Map(data?.methods.map((offer) => [offer.method, offer]));
}

/** What a question would cost. */
export function usePrice(request: AttributionRequest, enabled: boolean) {
  const { api } = useServices();
  return useQuery({
    queryKey: ['price', request],
    queryFn: ({ signal }) => api.price(request, signal),
    enabled,
    ...FOREVER,
  });
}
