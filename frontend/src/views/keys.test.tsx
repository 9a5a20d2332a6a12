import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { cards, inAddress, mount } from '../test/mount';

const user = userEvent.setup();
const panel = async () => within(await screen.findByRole('region', { name: 'Selected sample' }));

describe('the keyboard', () => {
  it('stops once in the list of samples, and skips it altogether where asked', async () => {
    mount('images', '?order=index');
    const shown = await cards();
    const list = screen.getByRole('main');
    const stops = () =>
      [...list.querySelectorAll('article :is(button, a, input)')].filter(
        (e) => (e as HTMLElement).tabIndex >= 0,
      );
    expect(shown.length).toBeGreaterThan(2);
    expect(stops().map((each) => each.textContent)).toEqual(['#0']);
    await user.keyboard('j');
    await waitFor(() => expect(stops().map((each) => each.textContent)).toEqual(['#1']));
    await user.tab();
    expect(screen.getByRole('button', { name: 'Skip to the samples' })).toHaveFocus();
    await user.tab();
    await user.keyboard('{Enter}');
    expect(screen.getByRole('region', { name: 'Selected sample' })).toHaveFocus();
  });

  it('goes to a sample by its number', async () => {
    mount('images');
    await cards();
    await user.keyboard('/391{Enter}');
    await waitFor(() => expect(inAddress('sample')).toBe('391'));
    expect(await (await panel()).findByRole('heading', { name: 'Sample 391' })).toBeVisible();
    const field = screen.getByRole('textbox', { name: 'Go to the sample of number' });
    await user.type(field, 'many{Enter}');
    expect(field).toBeInvalid();
    expect(await screen.findByText(/A sample is found by its number/)).toBeVisible();
    expect(inAddress('sample')).toBe('391');
  });

  it('explains its keys and the words in a dialog, and leaves it', async () => {
    mount('images');
    await cards();
    await user.keyboard('?');
    const dialog = await screen.findByRole('dialog', { name: 'Keys and words' });
    expect(within(dialog).getByText('the attribution method')).toBeVisible();
    expect(within(dialog).getByText('Baseline')).toBeVisible();
    await user.keyboard('m');
    expect(screen.queryByRole('option')).toBeNull();
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('fills the screen with the map, wherever the focus is', async () => {
    mount('images', '?sample=0');
    await (await panel()).findByRole('button', { name: 'Full screen' });
    await user.keyboard('f');
    expect(await screen.findByRole('dialog')).toBeVisible();
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('chooses which class is explained of every sample, which stays from sample to sample', async () => {
    const transport = mount('images', '?sample=1&order=index');
    await (await panel()).findByText(/of the output for class/);
    await user.keyboard('e');
    await user.click(await screen.findByRole('option', { name: /^Why the runner-up/ }));
    await waitFor(() => expect(inAddress('explain')).toBe('second'));
    const chosen = (await panel()).getAllByRole('button', { name: /^Explain / })[1] as HTMLElement;
    await waitFor(() => expect(chosen).toHaveAttribute('aria-pressed', 'true'));
    expect(inAddress('target')).toBeNull();
    expect(transport.log.filter((line) => line.startsWith('POST')).length).toBeGreaterThan(2); // the cards, too
    await user.click(screen.getByRole('button', { name: 'Next sample' }));
    await waitFor(() => expect(inAddress('sample')).toBe('2'));
    expect(inAddress('explain')).toBe('second');
  });
});

describe('a first visit', () => {
  it('explains the colours and the number in place, until it is dismissed in this browser', async () => {
    localStorage.clear();
    mount('images', '?sample=0');
    const region = await panel();
    const note = await region.findByRole('complementary', { name: 'How to read this' });
    expect(note).toHaveTextContent(/What is red raised the output for ‘\w+’, what is blue lowered it/);
    await user.click(within(note).getByRole('button', { name: 'Got it' }));
    expect(region.queryByRole('complementary', { name: 'How to read this' })).toBeNull();
    expect(localStorage.getItem('attribution-insights:colours-explained')).toBe('1');
  });
});

describe('trust', () => {
  it('is said in a few words beside the numbers, which lead to the reasons', async () => {
    mount('images', '?sample=0');
    const region = await panel();
    const short = await region.findByRole('button', { name: /^does not add up, 8\.0 % off · 1 warning$/ });
    await user.click(short);
    expect(region.getByText('How far to trust it').closest('[tabindex="-1"]')).toHaveFocus();
  });
});

describe('a regression', () => {
  it('is ordered by its output, and is neither right nor unlabelled', async () => {
    mount('regression');
    await cards();
    await user.click(screen.getByRole('combobox', { name: 'Order' }));
    await user.click(await screen.findByRole('option', { name: 'Largest output' }));
    await waitFor(() => expect(inAddress('order')).toBe('confident'));
    expect((await panel()).queryByText('No label')).toBeNull();
    expect((await panel()).getByText(/^true 0.85, off by [+−]0\.\d+$/)).toBeVisible();
    expect(screen.getByText(/^Off by 0\.\d+ on average/)).toBeVisible();
    expect(screen.queryByRole('combobox', { name: 'Class explained' })).toBeNull();
  });
});
