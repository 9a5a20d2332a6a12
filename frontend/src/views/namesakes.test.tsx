import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { mount } from '../test/mount';

it('takes inputs, classes and models of the same name for different ones', async () => {
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  mount('namesakes', '?sample=0&compare=IntegratedGradients,Saliency&across=true');
  const region = within(await screen.findByRole('region', { name: 'Selected sample' }));
  expect(await region.findAllByText('Empty is not shown.')).toHaveLength(2);
  const parts = await region.findByRole('list', { name: 'Contribution of each input' });
  expect(within(parts).getAllByRole('listitem')).toHaveLength(5);
  const models = await region.findByRole('list', { name: 'Models side by side' });
  expect(within(models).getAllByRole('button', { name: 'Net' })).toHaveLength(2);
  expect(
    screen.getByRole('grid', { name: /^Confusion matrix/ }).querySelectorAll('[data-cell]'),
  ).toHaveLength(9);
  await userEvent.click(screen.getByRole('combobox', { name: 'Model' }));
  expect(complaints.mock.calls).toEqual([]);
});
