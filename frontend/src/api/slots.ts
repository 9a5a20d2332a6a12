interface Waiting {
  tag: number;
  start: () => void;
}

/** Lets at most `limit` tasks run at once, in the order asked; those tagged `preferred` go first. */
export class Slots {
  preferred: number | null = null;
  private running = 0;
  private waiting: Waiting[] = [];

  constructor(private readonly limit: number) {}

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
    if (this.running >= this.limit || this.waiting.length === 0) return;
    const preferred = this.waiting.findIndex((each) => each.tag === this.preferred);
    const [entry] = this.waiting.splice(Math.max(preferred, 0), 1);
    this.running += 1;
    entry?.start();
  }
}
