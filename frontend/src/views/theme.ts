import {
  type CSSVariablesResolver,
  createTheme,
  InputWrapper,
  type MantineColorsTuple,
  Popover,
  Select,
  Tooltip,
} from '@mantine/core';

const accent: MantineColorsTuple = [
  '#eef0ff',
  '#dfe2ff',
  '#bfc4ff',
  '#a5a8fb',
  '#8f90f7',
  '#6f6cf0',
  '#4f46e5',
  '#4338ca',
  '#3730a3',
  '#2a2580',
];

const dark: MantineColorsTuple = [
  '#ececef',
  '#c9cad1',
  '#a3a4ad',
  '#7c7d88',
  '#43444c',
  '#2e2f36',
  '#202126',
  '#18191d',
  '#141518',
  '#111215',
];

const FONT =
  "'Inter Variable', Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

const INPUT_TEXT = {
  label: { fontSize: 12 },
  description: { fontSize: 12 },
  error: { fontSize: 12 },
};

/** A list scrolls itself, which is in reach of the keys, as a box around it is not. */
const LIST = { maxHeight: 'var(--list-height, 240px)', overflowY: 'auto', scrollbarWidth: 'thin' } as const;

/** Everything that opens over the view opens inside `root`, so that a notebook's cell keeps it. */
export function createAppTheme(root: HTMLElement | null) {
  const portalProps = root ? { target: root } : {};
  return createTheme({
    fontFamily: FONT,
    fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
    colors: { accent, dark },
    primaryColor: 'accent',
    primaryShade: 6,
    autoContrast: true,
    defaultRadius: 6,
    cursorType: 'pointer',
    respectReducedMotion: true,
    components: {
      Popover: Popover.extend({ defaultProps: { portalProps, shadow: 'md' } }),
      Tooltip: Tooltip.extend({ defaultProps: { portalProps, openDelay: 300, multiline: true, maw: 280 } }),
      Drawer: { defaultProps: { portalProps, lockScroll: false } }, // not extend(): they are loaded later
      Modal: { defaultProps: { portalProps, lockScroll: false } },
      InputWrapper: InputWrapper.extend({ styles: INPUT_TEXT }),
      Select: Select.extend({
        defaultProps: { size: 'xs', comboboxProps: { portalProps }, withScrollArea: false },
        styles: { options: LIST },
      }),
    },
  });
}

/** Mantine's own colours, tuned to the neutral surfaces of tokens.module.css. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-text': '#18181b',
    '--mantine-color-dimmed': '#5c5d66',
    '--mantine-color-placeholder': '#6b6c75',
    '--mantine-color-body': '#ffffff',
    '--mantine-color-default-border': '#dedee3',
    '--mantine-color-error': '#8a5a00',
  },
  dark: {
    '--mantine-color-text': '#ececef',
    '--mantine-color-dimmed': '#a3a4ad',
    '--mantine-color-placeholder': '#93949e',
    '--mantine-color-body': '#1b1c20',
    '--mantine-color-default': '#202126',
    '--mantine-color-default-hover': '#292a30',
    '--mantine-color-default-border': '#36373e',
    '--mantine-color-error': '#eec15c',
  },
});
