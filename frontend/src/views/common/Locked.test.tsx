import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import type { Connection } from '../../api/transport';
import { Variable } from '../../base/observable';
import { cards, mount } from '../../test/mount';

it('takes the place of the dashboard once the server no longer answers this page', async () => {
  const connection = new Variable<Connection>('ready');
  mount('images', '', { connection });
  await cards();
  connection.set('locked');
  expect(await screen.findByRole('heading', { name: 'The dashboard was started again' })).toBeVisible();
  expect(screen.queryByRole('article')).toBeNull();
});

it('comes in with what is pasted, and asks again for what has no token', async () => {
  const enter = vi.fn();
  mount(
    'gone',
    '',
    { connection: new Variable<Connection>('locked') },
    { entrance: { refused: true, enter } },
  );
  expect(await screen.findByRole('alert')).toHaveTextContent('wrong, or of an earlier start');
  const user = userEvent.setup();
  const field = screen.getByLabelText('Address or token');
  await user.type(field, 'not a token{Enter}');
  expect(screen.getByText(/^Paste the address/)).toBeVisible();
  await user.clear(field);
  await user.type(field, 'http://127.0.0.1:1/?token=abc{Enter}');
  expect(enter).toHaveBeenCalledExactlyOnceWith('abc');
});
