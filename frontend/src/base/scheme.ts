import type { Observable } from './observable';

export type Scheme = 'light' | 'dark';

/** How hosts mark their dark themes (and light ones), on <body> or <html>. */
const MARKS: [selector: string, scheme: Scheme][] = [
  ['[data-jp-theme-light="false"]', 'dark'], // JupyterLab, Notebook 7
  ['[data-jp-theme-light="true"]', 'light'],
  ['.vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)', 'dark'],
  ['.vscode-light, .vscode-high-contrast-light', 'light'],
  ['.dark-theme, .dark', 'dark'], // marimo
  ['.light-theme, .light', 'light'],
  ['[theme="dark"]', 'dark'], // Colab
  ['[theme="light"]', 'light'],
];

/** The notebook's light or dark: as it says, else as the background behind `element` looks, else as the system. */
export function hostScheme(element: HTMLElement): Observable<Scheme> {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const roots = [document.body, document.documentElement];
  return {
    get: () => marked(roots) ?? behind(element) ?? (system.matches ? 'dark' : 'light'),
    subscribe(listener) {
      const observer = new MutationObserver(listener);
      for (const root of roots) observer.observe(root, { attributes: true });
      system.addEventListener('change', listener);
      return () => {
        observer.disconnect();
        system.removeEventListener('change', listener);
      };
    },
  };
}

function marked(roots: HTMLElement[]): Scheme | undefined {
  return MARKS.find(([selector]) => roots.some((root) => root.matches(selector)))?.[1];
}

function behind(element: HTMLElement): Scheme | undefined {
  for (let each: Element | null = element; each; each = each.parentElement) {
    const [red = 0, green = 0, blue = 0, alpha = 1] =
      getComputedStyle(each)
        .backgroundColor.match(/[\d.]+/g)
        ?.map(Number) ?? [];
    if (alpha > 0.5) return 0.299 * red + 0.587 * green + 0.114 * blue < 128 ? 'dark' : 'light';
  }
  return undefined;
}
