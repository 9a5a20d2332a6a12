import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { inAddress, mount } from '../../test/mount';

const user = userEvent.setup();

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

  it('reads values by keys, from the strongest on, and says them', async () => {
    mount('tiny', '?sample=0');
    const map = await within(await panel()).findByRole('application', { name: /^Values of Photo/ });
    await waitFor(() => expect(map).toHaveAttribute('tabindex', '0'));
    const said = () => document.querySelector('[aria-live="polite"]')?.textContent ?? '';
    const place = () =>
      said()
        .match(/row (\d+), column (\d+): [+\u2212]?\d/)
        ?.slice(1)
        .map(Number);
    await waitFor(() => {
      act(() => map.blur());
      act(() => map.focus());
      expect(place()).toBeDefined();
    });
    const [row = 0, column = 0] = place() ?? [];
    await user.keyboard(row > 0 ? '{ArrowUp}' : '{ArrowDown}');
    expect(place()).toEqual([row > 0 ? row - 1 : row + 1, column]);
    await user.keyboard('{Shift>}{ArrowLeft}{/Shift}');
    expect(place()?.[1]).toBe(0);
    expect(inAddress('sample')).toBe('0'); // the same keys did not select another sample
    await user.keyboard('{Escape}');
    expect(said()).toBe('');
  });

  it('sums pixels into patches, which legend and values then speak of', async () => {
    mount('images', '?order=index&sample=0&grain=16');
    const region = within(await panel());
    expect(await region.findByText(/^Every patch of 16 × 16 px shows the sum of its pixels/)).toBeVisible();
    const map = region.getByRole('application', { name: /^Values of Photo/ });
    await waitFor(() => expect(map).toHaveAttribute('tabindex', '0'));
    act(() => map.focus());
    await user.keyboard('{Shift>}{ArrowLeft}{ArrowUp}{/Shift}');
    expect(region.getByText(/^rows 0–15, columns 0–15, sum: /)).toBeVisible();
    const grain = region.getByRole('slider', { name: 'Grain' });
    expect(grain).toHaveAttribute('aria-valuetext', '16 × 16 px');
    act(() => grain.focus());
    await user.keyboard('{Home}');
    await waitFor(() => expect(inAddress('grain')).toBeNull());
    expect(region.queryByText(/^Every patch/)).toBeNull();
  });

  it('zooms by keys and buttons', async () => {
    mount('images', '?sample=0');
    const region = within(await panel());
    const map = await region.findByRole('application', { name: /^Values of Photo/ });
    await waitFor(() => expect(map).toHaveAttribute('tabindex', '0'));
    act(() => map.focus());
    await user.keyboard('++');
    expect(region.getByRole('button', { name: 'Show all of it' })).toHaveTextContent('2.3×');
    await user.click(region.getByRole('button', { name: 'Farther' }));
    await user.click(region.getByRole('button', { name: 'Farther' }));
    expect(region.queryByRole('button', { name: 'Show all of it' })).toBeNull();
    expect(region.getByRole('button', { name: 'Farther' })).toHaveAttribute('aria-disabled', 'true');
  });

  it('fills the screen with the original and its map, also by a link', async () => {
    mount('tiny', '?order=index&sample=0&full=0');
    const dialog = await screen.findByRole('dialog', { name: /^Photo: what speaks for and against/ });
    expect(within(dialog).getByRole('img', { name: 'Photo, original' })).toBeVisible();
    const [original, map] = within(dialog).getAllByRole('application');
    act(() => map?.focus());
    await waitFor(() => expect(dialog).toHaveTextContent(/row \d+, column \d+: attribution [+\u2212]\d/));
    expect(original?.getAttribute('aria-label')).toMatch(/^Photo, original/);
    await user.click(within(dialog).getByRole('button', { name: 'Close full screen' }));
    await waitFor(() => expect(inAddress('full')).toBeNull());
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('links tokens and bars by focus, in both directions', async () => {
    mount('text', '?sample=0');
    const region = within(await panel());
    await region.findByText(/of the output for class/);
    const bars = region.getByRole('list', { name: 'Strongest tokens of Review' });
    const listbox = region.getByRole('listbox', { name: 'Tokens of Review' });
    const tokens = within(listbox);
    const [, second] = tokens.getAllByRole('option');
    act(() => listbox.focus());
    await user.keyboard('{ArrowRight}');
    expect(listbox).toHaveAttribute('aria-activedescendant', second?.id);
    expect(second).toHaveAttribute('aria-selected', 'true');
    expect(bars.querySelector('[data-active]')).toHaveTextContent(second?.textContent ?? '-');
    const [bar] = within(bars).getAllByRole('button');
    act(() => bar?.focus());
    expect(tokens.getByRole('option', { selected: true })).toHaveTextContent(bar?.textContent ?? '-');
  });

  it('reads a text by its words, its pieces or its sentences', async () => {
    mount('pieces', '?sample=0');
    const region = within(await panel());
    await region.findByText(/of the output for class/);
    const parts = () => within(region.getByRole('listbox')).getAllByRole('option');
    const weight = (text: string) =>
      Number(
        parts()
          .find((part) => part.textContent === text)
          ?.title.split(': ')[1]
          ?.replace('\u2212', '-'),
      );
    expect(parts()[0]).toHaveAttribute('data-quiet'); // [CLS]
    const whole = weight('unbelievably');
    await user.click(region.getByRole('radio', { name: 'Pieces' }));
    expect(region.getByRole('list', { name: 'Strongest tokens of Review' })).toBeVisible();
    expect(weight('un') + weight('##believ') + weight('##ably')).toBeCloseTo(whole, 2);
    await user.click(region.getByRole('radio', { name: 'Sentences' }));
    expect(parts().map(({ textContent }) => textContent)).toContain('it is quietly moving!');
    await waitFor(() => expect(inAddress('parts')).toBe('sentences'));
  });

  it('fetches an original again that could not be loaded', async () => {
    mount('images', '?sample=0', { direct: true });
    const [image] = await screen.findAllByRole('img', { name: 'Photo, original' });
    expect(image).toHaveAttribute('src', expect.stringMatching(/^http/));
    fireEvent.error(image as HTMLElement);
    await waitFor(() => {
      const src = screen.getAllByRole('img', { name: 'Photo, original' })[0]?.getAttribute('src');
      expect(src).toMatch(/^data:/);
    });
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
