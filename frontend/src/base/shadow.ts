/** A shadow root, out of reach of the notebook's styles, whose keys are not the notebook's shortcuts. */
export function place(el: HTMLElement, name: string, css: string) {
  const shadowHost = document.createElement('div');
  const rootSize = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  shadowHost.style.setProperty('--mantine-scale', String(16 / rootSize));
  shadowHost.dataset.lmSuppressShortcuts = 'true'; // Jupyter's
  for (const type of ['keydown', 'keypress', 'keyup']) {
    shadowHost.addEventListener(type, (event) => event.stopPropagation());
  }
  const styles = document.createElement('style');
  styles.textContent = css;
  const root = document.createElement('div');
  root.className = name;
  shadowHost.attachShadow({ mode: 'open' }).append(styles, root);
  el.append(shadowHost);
  return { shadowHost, root };
}

/** The saved picture reads this variable, also from inside another shadow root. */
export function hidePicture(name: string) {
  const { style } = document.documentElement;
  style.setProperty(name, 'none');
  return { show: () => style.removeProperty(name) };
}
