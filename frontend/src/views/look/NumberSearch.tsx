import { TextInput, Tooltip } from '@mantine/core';
import { type SyntheticEvent, useState } from 'react';
import { useQuestion } from '../../state/question';

const WHOLE = /^#?\s*(\d{1,15})$/;

/** Goes to the sample of a number, wherever it is. */
export function NumberSearch() {
  const { change } = useQuestion();
  const [text, setText] = useState('');
  const number = text.trim().match(WHOLE)?.[1];
  const wrong = text.trim() !== '' && number === undefined;
  const go = (event: SyntheticEvent) => {
    event.preventDefault();
    if (number === undefined) return;
    change({ sample: Number(number), target: null });
    setText('');
  };
  return (
    <form onSubmit={go}>
      <Tooltip label="A sample is found by its number: 0, 1, 2 …" opened={wrong} position="bottom">
        <TextInput
          size="xs"
          w={92}
          aria-label="Go to the sample of number"
          aria-keyshortcuts="/"
          placeholder="Go to #"
          inputMode="numeric"
          enterKeyHint="go"
          value={text}
          error={wrong}
          title={wrong ? undefined : 'Type the number of a sample, then Enter'}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      </Tooltip>
    </form>
  );
}
