/** The clip bounds of the maps on screen, so that all of them can share the largest. */
export class Scales {
  private readonly bounds = new Map<string, number>();
  private readonly listeners = new Set<() => void>();
  private largest = 0;

  set(id: string, bound: number): void {
    this.bounds.set(id, bound);
    this.update();
  }

  delete(id: string): void {
    this.bounds.delete(id);
    this.update();
  }

  shared = (): number => this.largest;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private update(): void {
    const largest = Math.max(0, ...this.bounds.values());
    if (largest === this.largest) return;
    this.largest = largest;
    for (const listener of this.listeners) listener();
  }
}
