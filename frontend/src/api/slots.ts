interface Waiting {
  tag: number;
  start: () => void;
}

/** Lets at most `limit` tasks run at once, in the order asked; those of what is looked at wait for no other. */
export class Slots {
  private lookedAt: number | null = null;
  private running = 0;
  private waiting: Waiting[] = [];

  constructor(private readonly limit: number) {}

  look(tag: number | null): void {
    this.lookedAt = tag;
    for (const _ of this.waiting.filter((each) => each.tag === tag)) this.next();
  }

  isLookedAt(tag: number): boolean {
    return this.lookedAt === tag;
  }

  async run<T>(tag: number, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.enter(tag, signal);
    try {
      return await task();
    } finally {
      this.running -= 1;
      this.next();
    }
  }

  private enter(tag: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting = this.waiting.filter((each) => each !== entry);
        reject(signal.reason);
      };
      const start = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const entry = { tag, start };
      signal.addEventListener('abort', leave, { once: true });
      this.waiting.push(entry);
      this.next();
    });
  }

  private next(): void {
    const lookedAt = this.waiting.findIndex((each) => this.isLookedAt(each.tag));
    if (lookedAt < 0 && this.running >= this.limit) return;
    const [entry] = this.waiting.splice(Math.max(lookedAt, 0), 1);
    if (!entry) return;
    this.running += 1;
    entry.start();
  }
}
