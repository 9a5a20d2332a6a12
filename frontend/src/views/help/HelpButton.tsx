import { ActionIcon, Tooltip } from '@mantine/core';
import { IconHelp } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { ErrorBoundary } from '../common/ErrorBoundary';

const Help = lazy(() => import('./Help'));

/** Opens what the keys do and what the words mean. */
export function HelpButton() {
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Tooltip label="Keys and words (?)">
        <ActionIcon
          size={30}
          variant="subtle"
          color="gray"
          aria-label="Keys and words"
          aria-keyshortcuts="?"
          aria-haspopup="dialog"
          onClick={() => setOpened(true)}
        >
          <IconHelp size={18} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
      {opened && (
        <ErrorBoundary fallback={null}>
          <Suspense>
            <Help onClose={() => setOpened(false)} />
          </Suspense>
        </ErrorBoundary>
      )}
    </>
  );
}
