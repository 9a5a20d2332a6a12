import type { MethodInfo, Paper, Price } from '../../api/schema';
import { capital, plural, seconds } from '../../base/format';
import { spelledOut } from './abbreviations';

/** Methods by what they do, in the order in which they are offered. */
export function grouped(methods: readonly MethodInfo[]): { group: string; methods: MethodInfo[] }[] {
  const names = [...new Set(methods.map(({ group }) => group))];
  return names.map((name) => ({
    group: capital(name),
    methods: methods.filter(({ group }) => group === name),
  }));
}

/** Whether all words of a search are found in what is said of a method. */
export function matching(method: MethodInfo | undefined, search: string): boolean {
  if (!method) return false;
  const { name, title, group, summary, promise, paper } = method;
  const parts = [name, title, group, summary, promise, spelledOut(title), paper?.title, paper?.authors];
  const text = parts.join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** "Sundararajan et al. 2017". */
export function cited({ authors, year }: Paper): string {
  const names = authors.split(/,| and /).map((name) => name.trim());
  const first = names[0] ?? '';
  return `${names.length > 2 ? `${first} et al.` : names.join(' and ')} ${year}`;
}

/** "100 passes, about 2.1 s". */
export function priceInBrief({ forward, backward, seconds: time, at_least }: Price): string {
  const passes = plural(forward + backward, 'pass', 'passes');
  if (time === null) return `${at_least ? 'at least ' : ''}${passes}`;
  return `${passes}, ${at_least ? 'at least' : 'about'} ${seconds(time)}`;
}

/** "about 2.1 s, 50 passes forward and 50 back". */
export function priceInWords({ forward, backward, seconds: time, at_least }: Price): string {
  const back = backward > 0 ? ` and ${backward} back` : '';
  const passes = `${plural(forward, 'pass', 'passes')} forward${back}`;
  const about = at_least ? 'at least' : 'about';
  return time === null ? `${at_least ? 'at least ' : ''}${passes}` : `${about} ${seconds(time)}, ${passes}`;
}
