/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { type BuildOptions, defineConfig, type Plugin } from 'vite';

/** Puts all styles into the module itself, which brings them into its shadow root. */
const stylesInside: Plugin = {
  name: 'styles-inside',
  enforce: 'post',
  generateBundle(_, bundle) {
    let styles = '';
    for (const [name, file] of Object.entries(bundle)) {
      if (file.type !== 'asset' || !name.endsWith('.css')) continue;
      styles += file.source;
      delete bundle[name];
    }
    for (const file of Object.values(bundle)) {
      if (file.type === 'chunk') file.code = file.code.replace('__STYLES__', () => JSON.stringify(styles));
    }
  },
};

/** React in a file of its own: it stays in the browser's cache when the dashboard changes. */
const page: BuildOptions = {
  emptyOutDir: true,
  rolldownOptions: {
    output: {
      codeSplitting: { groups: [{ name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// }] },
    },
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
    output: { entryFileNames: 'widget.js', codeSplitting: false },
  },
};

export default defineConfig(({ mode }) => ({
  base: './',
  plugins: [react(), ...(mode === 'widget' ? [stylesInside] : [])],
  build: {
    outDir: '../server/app/static',
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'], // light-dark() is kept as it is
    ...(mode === 'widget' ? widget : page),
  },
  test: {
    environment: 'jsdom',
    testTimeout: 20_000,
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    css: { modules: { classNameStrategy: 'non-scoped' } },
  },
}));
