/// <reference types="vitest/config" />
import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import { type BuildOptions, build, defineConfig, type Plugin } from 'vite';

/**
 * One module with its styles inside. A page that imports it again, for another cell or for a cell run again, gets the
 * first one: what a browser has once imported it never forgets.
 */
const oneModule: Plugin = {
  name: 'one-module',
  enforce: 'post',
  generateBundle(_, bundle) {
    let styles = '';
    for (const [name, file] of Object.entries(bundle)) {
      if (file.type !== 'asset' || !name.endsWith('.css')) continue;
      styles += file.source;
      delete bundle[name];
    }
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk') continue;
      const code = file.code.replace('__STYLES__', () => JSON.stringify(styles));
      const key = `attribution-insights ${createHash('sha256').update(code).digest('hex')}`;
      file.code = `const make = () => {\n${code}\nreturn widget;\n};\nexport default globalThis[Symbol.for('${key}')] ??= make();\n`;
    }
  },
};

const LICENSES = 'licenses.md';

/** Vite lists the packages whose code is bundled; the font comes by a style sheet. */
const fontLicense: Plugin = {
  name: 'font-license',
  writeBundle({ dir }) {
    const font = '@fontsource-variable/inter';
    const text = readFileSync(new URL(`node_modules/${font}/LICENSE`, import.meta.url), 'utf8');
    appendFileSync(`${dir}/${LICENSES}`, `\n## ${font} (OFL-1.1)\n\n${text}`);
  },
};

const page: BuildOptions = {
  emptyOutDir: true,
  license: { fileName: LICENSES }, // of what the page and the widget bring along
  rolldownOptions: {
    output: {
      codeSplitting: { groups: [{ name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// }] },
    },
  },
};

/** Builds the module after the page, whose build has emptied its folder. */
const moduleToo: Plugin = {
  name: 'module-too',
  apply: 'build',
  closeBundle: async () => {
    await build({ mode: 'widget' });
  },
};

/** One module that needs nothing else, for notebooks. */
const widget: BuildOptions = {
  emptyOutDir: false,
  copyPublicDir: false,
  assetsInlineLimit: Number.MAX_SAFE_INTEGER,
  cssCodeSplit: false,
  modulePreload: false,
  rolldownOptions: {
    input: 'src/widget.tsx',
    preserveEntrySignatures: 'strict',
    transform: { define: { 'import.meta': '{}' } }, // it has no other files
    output: { entryFileNames: 'widget.js', format: 'iife', name: 'widget' },
  },
};

export default defineConfig(({ mode }) => ({
  base: './',
  html: { cspNonce: 'CSP_NONCE' }, // the server puts a word of its own there in each answer
  plugins: [react(), ...(mode === 'widget' ? [oneModule] : [fontLicense, moduleToo])],
  build: {
    outDir: '../server/app/static',
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'], // light-dark() is kept as it is
    ...(mode === 'widget' ? widget : page),
  },
  test: {
    environment: 'jsdom',
    testTimeout: 40_000,
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    css: { modules: { classNameStrategy: 'non-scoped' } },
  },
}));
