import { render, screen } from '@testing-library/react';
import { onTestFinished } from 'vitest';
import { App } from '../App';
import { fakeTransport } from '../api/fake';
import type { Transport } from '../api/transport';
import type { Host } from '../state/host';
import { pageAddress } from '../state/pageAddress';

/** The whole dashboard over generated data, as the page mounts it. */
export function mount(
  scenario: string,
  search = '',
  changes: Partial<Transport> = {},
  more: Partial<Host> = {},
) {
  history.replaceState(null, '', `/${search}`);
  const transport = Object.assign(fakeTransport(scenario), changes);
  const address = pageAddress();
  onTestFinished(address.close);
  const host = {
    address,
    rootElement: () => document.documentElement,
    variablesSelector: ':root',
    keys: () => document,
    link: () => location.href,
    ...more,
  };
  render(<App transport={transport} host={host} />);
  return transport;
}

/** The answers of a scenario, each changed before it is given. */
// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
export function altered(scenario: string, alter: (answer: any, path: string) => void): Partial<Transport> {
  const there = fakeTransport(scenario);
  return {
    fetch: async (request) => {
      const answer = await there.fetch(request);
      if (!answer.headers.get('content-type')?.includes('json')) return answer;
      const body = await answer.json();
      alter(body, new URL(request.url).pathname);
      return Response.json(body, { status: answer.status });
    },
  };
}

/** The numbers of the samples whose cards are on screen, in order. */
export async function cards(): Promise<number[]> {
  const found = await screen.findAllByRole('article');
  return found.map((card) => Number(card.getAttribute('aria-label')?.replace('Sample ', '')));
}

/** A parameter of the address. */
export function inAddress(name: string): string | null {
  return new URLSearchParams(location.search).get(name);
}
