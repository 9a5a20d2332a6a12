import { useState } from 'react';

const PREFIX = 'attribution-insights:';

/** Whether something was done once in this browser; it is done again where the browser remembers nothing. */
export function useOnce(name: string): readonly [done: boolean, finish: () => void] {
  const [done, setDone] = useState(() => read(PREFIX + name));
  const finish = () => {
    write(PREFIX + name);
    setDone(true);
  };
  return [done, finish];
}

function read(key: string): boolean {
  try {
    return localStorage.getItem(key) !== null;
  } catch {
    return false; // a notebook's frame may have no storage
  }
}

function write(key: string): void {
  try {
    localStorage.setItem(key, '1');
  } catch {
    // as above
  }
}
