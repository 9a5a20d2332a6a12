import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { mount } from '../../test/mount';

const panel = () => screen.findByRole('region', { name: 'Selected sample' });

describe('feature views', () => {
  it('shows each kind of input of a sample in its own way', async () => {
    mount('multimodal', '?sample=0');
    const region = await panel();
    expect(
      await within(region).findByRole('img', { name: /^Attribution of Photo: values from/ }),
    ).toBeVisible();
    expect(within(region).getByRole('list', { name: 'Strongest tokens of Question' })).toBeVisible();
    expect(within(region).getByRole('list', { name: 'Attribution of Passenger' })).toBeVisible();
    expect(within(region).getByText('Mask is not shown.')).toBeVisible();
    const parts = within(region).getByRole('list', { name: 'Contribution of each input' });
    expect(within(parts).getAllByRole('listitem')).toHaveLength(4);
  });

  it('says how many values are not finite', async () => {
    mount('nonfinite', '?sample=0');
    const region = await panel();
    expect(await within(region).findByText('7 not finite (checked)')).toBeVisible();
  });

  it('sorts bars by strength', async () => {
    mount('general', '?sample=0');
    const list = within(await panel());
    await list.findByText(/of the output for class/);
    const bars = within(list.getByRole('list', { name: 'Attribution of Passenger' })).getAllByRole(
      'listitem',
    );
    const sizes = bars.map((bar) =>
      Math.abs(Number(bar.lastElementChild?.textContent?.replace('\u2212', '-'))),
    );
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes[0]).toBeGreaterThan(0);
  });
});
