import type { Transport } from './transport';
export function fakeTransport(_name: string): Transport {
  throw new Error('soon');
}
