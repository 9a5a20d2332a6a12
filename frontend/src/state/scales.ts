/** What shares a scale: numbers of different kinds do not. */
export type ScaleKind = 'image' | 'text' | 'general';

interface Entry {
  kind: ScaleKind;
  bound: number;
}

/** The bounds of what is on screen, so that all of a kind can share the largest. */
export class Scales {
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Set<() => void>();
  private largest: Record<ScaleKind, number> = { image: 0, text: 0, general: 0 };

  set(id: string, kind: ScaleKind, bound: number): void {
    this.entries.set(id, { kind, bound });
    this.update();
  }

  delete(id: string): void {
    this.entries.delete(id);
    this.update();
  }

  shared(kind: ScaleKind): number {
    return this.largest[kind];
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private update(): void {
    const largest = { image: 0, text: 0, general: 0 };
    for (const { kind, bound } of this.entries.values()) largest[kind] = Math.max(largest[kind], bound);
    const same = (Object.keys(largest) as ScaleKind[]).every((kind) => largest[kind] === this.largest[kind]);
    if (same) return;
    this.largest = largest;
    for (const listener of this.listeners) listener();
  }
}
