import type { Entrance } from './host';

/** Comes in by an address with a token, which the server takes out again; one that is still there it did not take. */
export function pageEntrance(): Entrance {
  const url = new URL(location.href);
  const refused = url.searchParams.has('token');
  if (refused) {
    url.searchParams.delete('token');
    history.replaceState(history.state, '', url);
  }
  return { refused, enter: (token) => location.replace(withToken(location.href, token)) };
}

function withToken(page: string, token: string): URL {
  const url = new URL(page);
  url.searchParams.set('token', token);
  return url;
}

/** The token in what a person pastes: the printed address, its line, or the token alone; null where there is none. */
export function tokenIn(pasted: string): string | null {
  const text = pasted.trim();
  const found = /[?&]token=([\w.~-]+)/.exec(text)?.[1];
  return found ?? (/^[\w.~-]+$/.test(text) ? text : null);
}
