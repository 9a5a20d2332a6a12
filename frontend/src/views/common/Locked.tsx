import { Button, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { tokenIn } from '../../state/entrance';
import { useHost } from '../../state/host';
import styles from './Locked.module.css';
import { Main } from './Main';

const WRONG = 'Paste the address with ?token=… as it was printed, or the token alone.';

/** The way in: what happened, where the token is found, and a field for it. `again`: it was open before. */
export function Locked({ again }: { again: boolean }) {
  const { entrance } = useHost();
  const [pasted, setPasted] = useState('');
  const [wrong, setWrong] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const token = tokenIn(pasted);
    setWrong(token === null);
    if (token !== null) entrance?.enter(token);
  };
  return (
    <Main className={styles.whole}>
      <form className={styles.card} onSubmit={submit}>
        <h1>{again ? 'The dashboard was started again' : 'This dashboard needs its token'}</h1>
        <p role={entrance?.refused ? 'alert' : undefined} data-wrong={entrance?.refused}>
          {reason(again, entrance?.refused ?? false)}
        </p>
        <p>The address with the token was printed where the dashboard was started:</p>
        <pre>Attribution Insights is at http://…/?token=…</pre>
        <p>
          In Python it is <code>visualizer.address</code>. Every start makes a new token, unless one is given.
        </p>
        <div className={styles.field}>
          <TextInput
            label="Address or token"
            value={pasted}
            error={wrong && WRONG}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setPasted(event.currentTarget.value)}
          />
          <Button type="submit">Open the dashboard</Button>
        </div>
        {!navigator.cookieEnabled && <p>Your browser keeps no cookies here; the dashboard needs one.</p>}
      </form>
    </Main>
  );
}

function reason(again: boolean, refused: boolean): string {
  if (again) return 'It has another token now, and no longer answers this page.';
  if (refused) return 'The token in this address is wrong, or of an earlier start.';
  return 'A model and its data are private: the dashboard answers only who has its token.';
}
