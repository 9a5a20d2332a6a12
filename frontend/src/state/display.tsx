import { useQueryStates } from 'nuqs';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import { displayParsers } from './location';

export type Display = ReturnType<typeof useQueryStates<typeof displayParsers>>[0];

const Context = createContext<{ display: Display; change: (change: Partial<Display>) => void } | null>(null);

export function DisplayProvider({ children }: { children: ReactNode }) {
  const [raw, setRaw] = useQueryStates(displayParsers, { history: 'replace' });
  const value = useMemo(() => {
    const within = (number: number, low: number, high: number) => Math.min(high, Math.max(low, number));
    const display = { ...raw, clip: within(raw.clip, 50, 100), opacity: within(raw.opacity, 0, 1) };
    return { display, change: (change: Partial<Display>) => void setRaw(change) };
  }, [raw, setRaw]);
  return <Context value={value}>{children}</Context>;
}

export function useDisplay() {
  const value = useContext(Context);
  if (!value) throw new Error('useDisplay: outside of <DisplayProvider>');
  return value;
}
