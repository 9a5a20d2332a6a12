import { render, screen } from '@testing-library/react';
import { NuqsAdapter } from 'nuqs/adapters/react';
import { App } from '../App';
import { fakeTransport } from '../api/fake';

/** The whole dashboard over generated data, as the page mounts it. */
export function mount(scenario: string, search = '') {
  history.replaceState(null, '', `/${search}`);
  const transport = fakeTransport(scenario);
  const host = {
    rootElement: () => document.documentElement,
    variablesSelector: ':root',
    keys: () => document,
    link: () => location.href,
  };
  render(
    <NuqsAdapter>
      <App transport={transport} host={host} />
    </NuqsAdapter>,
  );
  return transport;
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
