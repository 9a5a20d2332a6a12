import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Channel, NotebookTransport } from './notebook';

type Sent = { type: string; id: string; method: string; path: string };

/** A kernel that answers when told to. */
class Kernel implements Channel {
  readonly sent: Sent[] = [];
  readonly bodies: (ArrayBuffer | undefined)[] = [];
  dead = false;
  deliver: (() => Promise<void>) | undefined;
  private receive: ((...values: never[]) => void) | undefined;
  private live: ((...values: never[]) => void) | undefined;

  get = () => undefined;
  set = () => undefined;
  save_changes = () => undefined;
  send(content: unknown, _?: undefined, buffers?: ArrayBuffer[]) {
    if (this.dead) throw new Error('Cannot send');
    this.sent.push(content as Sent);
    this.bodies.push(buffers?.[0]);
    return this.deliver?.();
  }
  on(event: string, listener: (...values: never[]) => void) {
    if (event === 'msg:custom') this.receive = listener;
    else this.live = listener;
  }
  off() {
    this.receive = this.live = undefined;
  }
  say(message: object, ...buffers: DataView[]) {
    (this.receive as unknown as (message: object, buffers: DataView[]) => void)?.(message, buffers);
  }
  answer(id: string, text: string, status = 200) {
    this.say(
      { type: 'response', id, status, headers: {} },
      new DataView(new TextEncoder().encode(text).buffer),
    );
  }
  restart() {
    (this.live as unknown as () => void)?.();
  }
}

let kernel: Kernel;
let transport: NotebookTransport;
const ask = (path: string, init?: RequestInit) =>
  transport.fetch(new Request(`${transport.base}/${path}`, init));
const requests = () => kernel.sent.filter(({ type }) => type === 'request');
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new Kernel();
  transport = new NotebookTransport(kernel);
});
afterEach(() => {
  transport.close();
  vi.useRealTimers();
});

describe('requests', () => {
  it('each get their own answer, in whatever order', async () => {
    const answers = Promise.all(['a?x=1', 'b'].map(async (path) => (await ask(path)).text()));
    await settle();
    const [a, b] = requests();
    expect([a?.path, b?.path]).toEqual(['a?x=1', 'b']);
    kernel.answer(b?.id ?? '', 'of b');
    kernel.answer(a?.id ?? '', 'of a');
    expect(await answers).toEqual(['of a', 'of b']);
  });

  it('carry their body as bytes', async () => {
    const answer = ask('a', { method: 'POST', body: 'é' });
    await settle();
    expect([...new Uint8Array(kernel.bodies.at(-1) ?? new ArrayBuffer())]).toEqual([0xc3, 0xa9]);
    kernel.answer(requests()[0]?.id ?? '', '', 204);
    expect((await answer).status).toBe(204);
  });

  it('are taken back when nobody waits any more', async () => {
    const controller = new AbortController();
    const answer = ask('a', { signal: controller.signal });
    await settle();
    controller.abort();
    await expect(answer).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(kernel.sent.at(-1)).toEqual({ type: 'abort', id: requests()[0]?.id });
  });

  it('end with the transport', async () => {
    const answer = ask('a');
    await settle();
    transport.close();
    await expect(answer).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  });
});

describe('connection', () => {
  const state = () => transport.connection.get();

  it('is busy while there is no sign of life, and ready with the next one', async () => {
    void ask('a').catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1500);
    expect(state()).toBe('ready');
    await vi.advanceTimersByTimeAsync(200);
    expect(state()).toBe('busy');
    kernel.say({ type: 'pong' });
    expect(state()).toBe('ready');
  });

  it('stays ready while a request takes its time', async () => {
    void ask('a').catch(() => undefined);
    for (let i = 0; i < 30; i++) {
      await vi.advanceTimersByTimeAsync(200);
      if (kernel.sent.at(-1)?.type === 'ping') kernel.say({ type: 'pong' });
      expect(state()).toBe('ready');
    }
  });

  it('is gone when nothing can be sent', async () => {
    kernel.dead = true;
    await expect(ask('a')).rejects.toThrow('The kernel is gone.');
    expect(state()).toBe('gone');
  });

  it('is gone when it turns out that a message did not arrive', async () => {
    kernel.deliver = () => Promise.reject(new Error('Forbidden'));
    await expect(ask('a')).rejects.toThrow('The kernel is gone.');
    expect(state()).toBe('gone');
  });

  it('is gone when a restarted kernel does not know us, also for later requests', async () => {
    const answer = expect(ask('a')).rejects.toThrow('The kernel is gone.');
    kernel.restart();
    await vi.advanceTimersByTimeAsync(1300);
    await answer;
    await expect(ask('b')).rejects.toThrow('The kernel is gone.');
    kernel.say({ type: 'pong' });
    expect(state()).toBe('ready');
  });
});
