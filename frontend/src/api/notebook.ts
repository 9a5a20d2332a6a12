import { type Observable, Variable } from '../base/observable';
import { Failure } from './failure';
import type { FromKernel, ToKernel, WidgetResponse } from './schema';
import type { Connection, Transport } from './transport';

/** The part of an anywidget model that is used here. */
export interface Channel {
  get(trait: string): unknown;
  set(trait: string, value: unknown): void;
  save_changes(): void;
  /** marimo returns a promise that is rejected where there is no kernel. */
  send(content: unknown, callbacks?: undefined, buffers?: ArrayBuffer[]): unknown;
  on(event: string, listener: (...values: never[]) => void): void;
  off(event: string, listener: (...values: never[]) => void): void;
}

interface Waiting {
  resolve: (response: Response) => void;
  reject: (reason: unknown) => void;
}

const BASE = 'http://kernel.invalid';
const WITHOUT_BODY = [204, 205, 304];
const PATIENCE = 1200; // ms without an answer, before the kernel is asked whether it is there
const REPLY = 400; // ms that an idle kernel needs at most for its reply

/** The contract's requests over a notebook widget's own channel, each under its own id, bodies as binary buffers. */
export class NotebookTransport implements Transport {
  readonly base = BASE;
  readonly direct = false;
  private readonly state = new Variable<Connection>('ready');
  readonly connection: Observable<Connection> = this.state;
  /** Settled once the kernel has sent anything at all. */
  readonly awake: Promise<void>;
  private wake!: () => void;
  private readonly waiting = new Map<string, Waiting>();
  private readonly name = crypto.getRandomValues(new Uint32Array(2)).join('-');
  private sent = 0;
  private suspected = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly channel: Channel) {
    this.awake = new Promise((resolve) => {
      this.wake = resolve;
    });
    channel.on('msg:custom', this.receive);
    channel.on('comm_live_update', this.suspect); // Jupyter: the kernel was restarted, or is back
  }

  async fetch(request: Request): Promise<Response> {
    const { signal, method, headers } = request;
    const { pathname, search } = new URL(request.url);
    const body = await request.arrayBuffer();
    signal.throwIfAborted();
    if (this.state.get() === 'gone') {
      this.suspect(); // it may be back: then what failed is asked again
      throw Failure.kernelGone();
    }
    const id = `${this.name}-${this.sent++}`;
    const path = pathname.slice(1) + search;
    const answer = new Promise<Response>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    const abort = () => this.abort(id, signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const message = { type: 'request', id, method, path, headers: Object.fromEntries(headers) } as const;
    if (this.tell(message, body)) this.watch();
    return answer.finally(() => signal.removeEventListener('abort', abort));
  }

  /** Forgets everything; unfinished requests fail. */
  close(): void {
    clearTimeout(this.timer);
    this.channel.off('msg:custom', this.receive);
    this.channel.off('comm_live_update', this.suspect);
    for (const id of [...this.waiting.keys()]) this.abort(id, new DOMException('closed', 'AbortError'));
  }

  /** Tells the kernel something, alone or with a request's body; false where there is no way to it. */
  tell(message: ToKernel, body?: ArrayBuffer): boolean {
    try {
      const sent = this.channel.send(message, undefined, body?.byteLength ? [body] : []);
      if (sent instanceof Promise) sent.catch(this.lose);
      return true;
    } catch {
      this.lose();
      return false;
    }
  }

  private readonly receive = (message: FromKernel, buffers: DataView<ArrayBuffer>[]): void => {
    this.wake();
    this.suspected = false;
    this.state.set('ready');
    if (message.type === 'response') this.answer(message, buffers[0]);
    this.watch();
  };

  private answer({ id, status, headers }: WidgetResponse, data?: DataView<ArrayBuffer>): void {
    const body = WITHOUT_BODY.includes(status) ? null : (data ?? null);
    this.waiting.get(id)?.resolve(new Response(body, { status, headers }));
    this.waiting.delete(id);
  }

  private abort(id: string, reason: unknown): void {
    if (!this.waiting.has(id)) return;
    this.waiting.get(id)?.reject(reason);
    this.waiting.delete(id);
    this.tell({ type: 'abort', id });
  }

  /** The kernel takes messages one after the other: while a cell runs, it answers none. */
  private watch(): void {
    if (this.suspected) return;
    clearTimeout(this.timer);
    if (this.waiting.size > 0) this.timer = setTimeout(() => this.ask(REPLY), PATIENCE);
  }

  private readonly suspect = (): void => {
    this.suspected = true;
    this.ask(PATIENCE);
  };

  private ask(patience: number): void {
    clearTimeout(this.timer);
    if (this.tell({ type: 'ping' })) this.timer = setTimeout(this.conclude, patience);
  }

  private readonly conclude = (): void => {
    if (this.suspected) this.lose();
    else this.state.set('busy');
  };

  private readonly lose = (): void => {
    clearTimeout(this.timer);
    this.state.set('gone');
    const lost = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of lost) reject(Failure.kernelGone());
  };
}
