import './page.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { httpTransport } from './api/http';
import type { Transport } from './api/transport';
import { pageEntrance } from './state/entrance';
import type { Host } from './state/host';
import { pageAddress } from './state/pageAddress';

const entrance = pageEntrance(); // first: it takes the token out of the address
const host: Host = {
  entrance,
  nonce: document.querySelector<HTMLElement>('meta[property=csp-nonce]')?.nonce,
  address: pageAddress(),
  rootElement: () => document.documentElement,
  variablesSelector: ':root',
  keys: () => document,
  link: () => location.href,
  setTitle: (title) => {
    document.title = title;
  },
};

async function chooseTransport(): Promise<Transport> {
  const fake = new URLSearchParams(location.search).get('fake');
  if (import.meta.env.DEV && fake !== null) return (await import('./api/fake')).fakeTransport(fake);
  return httpTransport(document.baseURI);
}

const root = document.getElementById('root');
if (!root) throw new Error('The page has no element #root.');
const transport = await chooseTransport();
createRoot(root).render(
  <StrictMode>
    <App transport={transport} host={host} />
  </StrictMode>,
);
