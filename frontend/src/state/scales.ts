import type { InputAttribution } from '../api/client';

/** What shares a scale: numbers of different kinds do not. */
export type ScaleKind = Exclude<InputAttribution['kind'], 'empty'>;

interface Entry {
  kind: ScaleKind;
  bound: number;
}

/** The bounds of what is on screen, so that all of a kind can share the largest. */
export class Scales {
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Set<() => void>();
  private largest = new Map<ScaleKind, number>();

  set(id: string, kind: ScaleKind, bound: number): void {
    this.entries.set(id, { kind, bound });
    this.update();
  }

  delete(id: string): void {
    this.entries.delete(id);
    this.update();
  }

  shared(kind: ScaleKind): number {
    return this.largest.get(kind) ?? 0;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private update(): void {
    const largest = new Map<ScaleKind, number>();
    for (const { kind, bound } of this.entries.values())
      largest.set(kind, Math.max(largest.get(kind) ?? 0, bound));
    const kinds = [...largest.keys(), ...this.largest.keys()];
    const same = kinds.every((kind) => (largest.get(kind) ?? 0) === (this.largest.get(kind) ?? 0));
    if (same) return;
    this.largest = largest;
    for (const listener of this.listeners) listener();
  }
}
