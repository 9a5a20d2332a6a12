import { ActionIcon, Popover, TextInput, Tooltip } from '@mantine/core';
import { IconCheck, IconLink } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useHost } from '../../state/host';

const SHOWN = 1600; // ms

/** Copies an address that shows this very view; shows it where the browser does not let us copy. */
export function CopyLink() {
  const { link } = useHost();
  const [state, setState] = useState<'idle' | 'copied' | 'shown'>('idle');
  useEffect(() => {
    if (state !== 'copied') return;
    const timer = setTimeout(() => setState('idle'), SHOWN);
    return () => clearTimeout(timer);
  }, [state]);
  if (!link) return null;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link());
      setState('copied');
    } catch {
      setState('shown');
    }
  };
  const text = state === 'copied' ? 'Link copied' : 'Copy a link to this view';
  return (
    <Popover opened={state === 'shown'} onDismiss={() => setState('idle')} width={320} position="bottom-end">
      <Popover.Target>
        <Tooltip label={text}>
          <ActionIcon size={30} variant="subtle" color="gray" aria-label={text} onClick={copy}>
            {state === 'copied' ? <IconCheck size={17} /> : <IconLink size={17} stroke={1.7} />}
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <TextInput
          size="xs"
          readOnly
          label="Link to this view"
          value={state === 'shown' ? link() : ''}
          onFocus={(event) => event.currentTarget.select()}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
