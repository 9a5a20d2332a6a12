import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { inAddress, mount } from '../test/mount';

const user = userEvent.setup();
const panel = async () => within(await screen.findByRole('region', { name: 'Selected sample' }));
const methodField = () => screen.findByRole('combobox', { name: 'Attribution method' });

describe('the method', () => {
  it('is chosen by what it does, knowing what it promises and costs, and why it cannot work', async () => {
    mount('images', '?order=index&sample=0');
    await user.click(await methodField());
    const cam = await screen.findByRole('option', { name: /^Grad-CAM/ });
    await waitFor(() => expect(cam).toHaveTextContent('2 passes, about 21 ms'));
    expect(cam).toHaveTextContent('Selvaraju et al. 2017');
    const rollout = screen.getByRole('option', { name: /^Attention rollout/ });
    expect(rollout).toHaveTextContent('Not here: this model has no attention.');
    expect(rollout).toHaveAttribute('data-combobox-disabled');
    expect(screen.getByText('Adds up')).toBeVisible();
    await user.clear(await methodField());
    await user.type(await methodField(), 'selvaraju');
    await waitFor(() => expect(screen.getAllByRole('option')).toHaveLength(1));
    await user.click(screen.getByRole('option', { name: /^Grad-CAM/ }));
    expect(await (await panel()).findByText(/^Grad-CAM of the output .*, at features\.1/)).toBeVisible();
  });

  it('says what it costs with other parameters', async () => {
    mount('images', '?order=index&sample=0&args={"n_steps":20}');
    await user.click(await screen.findByRole('button', { name: /^Parameters of the method/ }));
    expect(
      await screen.findByText('Costs about 840 ms, 20 passes forward and 20 back for each sample.'),
    ).toBeVisible();
    expect(screen.getByRole('link', { name: 'Sundararajan et al. 2017' })).toHaveAttribute(
      'href',
      'https://arxiv.org/abs/1703.01365',
    );
  });
});

describe('the layer', () => {
  it('is the suggested one until another is chosen, which the link keeps', async () => {
    mount('images', '?order=index&sample=0&method=LayerGradCam');
    const region = await panel();
    expect(await region.findByText(/at features\.1/)).toBeVisible();
    expect(inAddress('layer')).toBeNull();
    await user.click(screen.getByRole('combobox', { name: 'Layer' }));
    const [first, ...tree] = await screen.findAllByRole('option');
    expect(first).toHaveTextContent('the last convolution');
    expect(tree.map(({ textContent }) => textContent)).toContain('classifierLinear6');
    expect(tree.find((option) => option.textContent?.includes('not reached'))).toHaveAttribute(
      'data-combobox-disabled',
    );
    await user.click(tree[0] as HTMLElement);
    expect(await region.findByText(/at features(?!\.)/)).toBeVisible();
    expect(inAddress('layer')).toBe('features');
  });

  it('is drawn over the picture, with its strongest channels', async () => {
    mount('images', '?order=index&sample=0&method=LayerGradCam');
    const region = await panel();
    expect(await region.findByRole('radio', { name: 'Overlay' })).toBeChecked();
    const channels = within(await region.findByRole('region', { name: 'Channels of features.1' }));
    expect(channels.getByText(/^3 strongest of 32 channels of features\.1/)).toBeVisible();
    const names = channels.getAllByRole('img').map((map) => map.getAttribute('aria-label')?.split(':')[0]);
    expect(names).toEqual([12, 3, 30].map((channel) => `Channel ${channel} of features.1`));
  });
});

describe('what is explained', () => {
  it('is a class against another, in words and in the link', async () => {
    mount('images', '?order=index&sample=0&target=1');
    const region = await panel();
    await user.click(await region.findByRole('combobox', { name: 'Class it is explained against' }));
    const options = await screen.findAllByRole('option');
    expect(options.map(({ textContent }) => textContent)).not.toContain('square');
    await user.click(await screen.findByRole('option', { name: 'ring' }));
    expect(await region.findByText(/of the output for class ‘square’ less that for ‘ring’/)).toBeVisible();
    expect(await region.findByText('Red speaks for ‘square’, blue for ‘ring’.')).toBeVisible();
    expect([inAddress('target'), inAddress('against')]).toEqual(['1', '3']);
    await user.click(region.getByRole('button', { name: /^Explain ring,/ }));
    await waitFor(() => expect([inAddress('target'), inAddress('against')]).toEqual(['3', null]));
  });

  it('is a function of the outputs, of every sample', async () => {
    mount('targets', '?order=index&sample=0');
    await user.click(await screen.findByRole('combobox', { name: 'Class explained' }));
    await user.click(await screen.findByRole('option', { name: /^Why ‘margin’/ }));
    const region = await panel();
    expect(await region.findByText(/^Integrated Gradients of margin/)).toBeVisible();
    expect(inAddress('function')).toBe('margin');
    expect(region.queryByRole('combobox', { name: 'Class it is explained against' })).toBeNull();
  });
});
