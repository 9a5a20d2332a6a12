import type { inferParserType } from 'nuqs/server';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import type { Sign } from '../render/paint';
import { useAddress } from './address';
import { displayParsers, type View } from './location';

type Display = inferParserType<typeof displayParsers>;

const Context = createContext<{ display: Display; change: (change: Partial<Display>) => void } | null>(null);

export function DisplayProvider({ children }: { children: ReactNode }) {
  const [raw, setRaw] = useAddress(displayParsers);
  const value = useMemo(() => {
    const within = (number: number, low: number, high: number) => Math.min(high, Math.max(low, number));
    const display = { ...raw, clip: within(raw.clip, 50, 100), opacity: within(raw.opacity, 0, 1) };
    return { display, change: (change: Partial<Display>) => setRaw(change, { replace: true }) };
  }, [raw, setRaw]);
  return <Context value={value}>{children}</Context>;
}

export function useDisplay() {
  const value = useContext(Context);
  if (!value) throw new Error('useDisplay: outside of <DisplayProvider>');
  return value;
}

/** What a picture shows: as chosen, or else a layer's map over the picture, and any other by itself. */
export function useView(ofLayer: boolean): View {
  const { view } = useDisplay().display;
  return view ?? (ofLayer ? 'overlay' : 'map');
}

/** Whether what is drawn can be negative at all. */
export const SignedContext = createContext(true);

/** The sign to draw: the chosen one, unless what is drawn has only sizes. */
export function useSign(signed = true): Sign {
  const { sign } = useDisplay().display;
  return useContext(SignedContext) && signed ? sign : 'absolute';
}
