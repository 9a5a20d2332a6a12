import { Drawer } from '@mantine/core';
import type { ReactNode } from 'react';
import styles from './Find.module.css';

interface FindDrawerProps {
  opened: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** FIND where there is no column for it. */
export default function FindDrawer({ opened, onClose, children }: FindDrawerProps) {
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      title="Find"
      size={320}
      padding={0}
      closeButtonProps={{ 'aria-label': 'Close' }}
      classNames={{ header: styles.drawerHead }}
    >
      {children}
    </Drawer>
  );
}
