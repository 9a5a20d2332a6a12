import { ActionIcon, Tooltip } from '@mantine/core';
import { IconArrowsMaximize, IconMinus, IconPlus } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Zoom } from './useZoom';
import styles from './ZoomButtons.module.css';

interface ZoomButtonsProps {
  zoom: Zoom;
  onFull?: () => void;
}

/** Closer, farther, all of it, and as large as the screen. */
export function ZoomButtons({ zoom, onFull }: ZoomButtonsProps) {
  const { scale } = zoom.view;
  return (
    <div className={styles.buttons} role="group" aria-label="Zoom">
      {scale > 1 && (
        <Tooltip label="Show all of it (0)">
          <button type="button" className={styles.scale} onClick={zoom.reset} aria-label="Show all of it">
            {scale < 10 ? scale.toFixed(1) : Math.round(scale)}×
          </button>
        </Tooltip>
      )}
      <IconButton
        label="Farther"
        tip="Farther (−, or the wheel)"
        disabled={scale === 1}
        onClick={zoom.farther}
      >
        <IconMinus size={15} stroke={1.8} />
      </IconButton>
      <IconButton label="Closer" tip="Closer (+, the wheel, or a double click)" onClick={zoom.closer}>
        <IconPlus size={15} stroke={1.8} />
      </IconButton>
      {onFull && (
        <IconButton
          label="Full screen"
          tip="Full screen, beside the original (f)"
          shortcut="f"
          onClick={onFull}
        >
          <IconArrowsMaximize size={15} stroke={1.8} />
        </IconButton>
      )}
    </div>
  );
}

interface IconButtonProps {
  label: string;
  tip: string;
  disabled?: boolean;
  shortcut?: string;
  onClick: () => void;
  children: ReactNode;
}

function IconButton({ label, tip, disabled = false, shortcut, onClick, children }: IconButtonProps) {
  return (
    <Tooltip label={tip}>
      <ActionIcon
        size={24}
        variant="subtle"
        color="gray"
        aria-label={label}
        aria-keyshortcuts={shortcut}
        aria-disabled={disabled}
        className={styles.button}
        onClick={() => disabled || onClick()}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  );
}
