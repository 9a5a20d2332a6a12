import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { inAddress, mount } from '../../test/mount';

const user = userEvent.setup();
const tiles = async (name: string) =>
  within(await screen.findByRole('list', { name }))
    .getAllByRole('listitem')
    .filter((item) => item.querySelector('[aria-pressed]'));

describe('methods side by side', () => {
  it('computes nothing before methods are chosen; then the one in use comes along', async () => {
    const transport = mount('images', '?sample=0');
    await screen.findByText(/Integrated Gradients of the output/);
    const asked = () => transport.log.filter((line) => line.startsWith('POST')).length;
    await waitFor(() => expect(screen.queryByText('Waiting…')).toBeNull());
    const before = asked();
    expect(screen.queryByRole('list', { name: 'Methods side by side' })).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Choose methods' }));
    await user.click(await screen.findByRole('checkbox', { name: 'Saliency' }));
    expect(inAddress('compare')).toBeNull(); // written once it rests
    await waitFor(() => expect(inAddress('compare')).toBe('IntegratedGradients,Saliency'));
    const found = await tiles('Methods side by side');
    expect(found).toHaveLength(2);
    await waitFor(() => expect(found[1]).toHaveTextContent('42 ms'));
    expect(asked()).toBe(before + 1); // what is known is not asked again
  });

  it('says whether each adds up, and switches to the one clicked', async () => {
    mount('images', '?sample=0&compare=IntegratedGradients,Saliency,Unknown');
    const [first, second] = await tiles('Methods side by side');
    await waitFor(() => expect(first).toHaveTextContent('does not add up'));
    await waitFor(() => expect(second).toHaveTextContent('42 ms'));
    expect(second).not.toHaveTextContent('add');
    await user.click(within(second as HTMLElement).getByRole('button', { name: 'Saliency' }));
    expect(inAddress('method')).toBe('Saliency');
    await screen.findByText(/Saliency of the output/);
    expect(
      within(second as HTMLElement).getByRole('button', { name: 'Saliency', pressed: true }),
    ).toBeVisible();
  });

  it('says in numbers how far two agree, and more in a table', async () => {
    mount('general', '?sample=0&compare=IntegratedGradients,Saliency');
    const said = await screen.findByText(/^Rank correlation \(Spearman\)/);
    await waitFor(() =>
      expect(said).toHaveTextContent(
        / [+\u2212]?\d\.\d\d\. Of the strongest 5 columns, \d+ % are the same\.$/,
      ),
    );
    expect(screen.getByText('Where one of two has no signs, sizes are compared.')).toBeVisible();
  });

  it('lets each be cancelled and asked again', async () => {
    mount('slow', '?order=index&sample=0&compare=Saliency');
    const [tile] = await tiles('Methods side by side');
    const inTile = within(tile as HTMLElement);
    await user.click(await inTile.findByRole('button', { name: 'Cancel' }));
    expect(await inTile.findByText('Cancelled.')).toBeVisible();
    await user.click(inTile.getByRole('button', { name: 'Explain' }));
    expect(await inTile.findByRole('button', { name: 'Cancel' })).toBeVisible();
  });

  it('says on the tile what failed', async () => {
    mount('errors', '?order=index&sample=1&compare=Saliency');
    const [tile] = await tiles('Methods side by side');
    expect(await within(tile as HTMLElement).findByText(/ran out of memory/)).toBeVisible();
    expect(within(tile as HTMLElement).getByRole('button', { name: 'Retry' })).toBeVisible();
  });

  it('keeps the rows of bars in one order', async () => {
    mount('general', '?sample=0&compare=IntegratedGradients,Saliency');
    await waitFor(async () => {
      const lists = within(await screen.findByRole('list', { name: 'Methods side by side' }));
      const [a, b] = lists.getAllByRole('list', { name: 'Attribution of Passenger' });
      const names = (list?: HTMLElement) =>
        [...(list?.children ?? [])].map((row) => row.firstElementChild?.textContent);
      expect(names(a)).toHaveLength(8);
      expect(names(a)).toEqual(names(b));
    });
  });
});

describe('models side by side', () => {
  it('explains the same class for every model once asked', async () => {
    mount('models', '?sample=0');
    await user.click(await screen.findByRole('button', { name: 'Compare 2 models' }));
    const [first, second] = await tiles('Models side by side');
    expect(within(first as HTMLElement).getByRole('button', { pressed: true })).toHaveTextContent(
      'MobileNetV2',
    );
    const map = await within(second as HTMLElement).findByRole('img', { name: /^Attribution of Photo/ });
    expect(map).toBeVisible();
    await user.click(within(second as HTMLElement).getByRole('button', { name: 'SqueezeNet' }));
    expect([inAddress('model'), inAddress('sample')]).toEqual(['1', '0']);
  });

  it('is not offered for a single model', async () => {
    mount('images', '?sample=0');
    await screen.findByText('Methods side by side');
    expect(screen.queryByText('Models side by side')).toBeNull();
  });
});
