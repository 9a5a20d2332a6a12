import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { fakeTransport } from './api/fake';
import { cards, inAddress, mount } from './test/mount';

const user = userEvent.setup();
const panel = () => screen.findByRole('region', { name: 'Selected sample' });

describe('find', () => {
  it('filters by outcome, keeps it in the address, and Back undoes it', async () => {
    mount('images');
    const all = (await cards()).slice(0, 4);
    await user.click(await screen.findByRole('button', { name: /^Incorrect/ }));
    await waitFor(() => expect(inAddress('outcome')).toBe('incorrect'));
    await screen.findByText('Only incorrect');
    await waitFor(() =>
      expect(screen.getAllByRole('status')[0]).toHaveTextContent(/Scanned 400 of 400 · \d\d match/),
    );
    history.back();
    await waitFor(() => expect(inAddress('outcome')).toBeNull());
    await waitFor(async () => expect((await cards()).slice(0, 4)).toEqual(all));
  });

  it('filters by a cell of the confusion matrix, and clears by the same cell', async () => {
    mount('images');
    const cell = await screen.findByRole('button', { name: /^True circle, predicted square: \d+ samples$/ });
    await user.click(cell);
    await waitFor(() => expect([inAddress('predicted'), inAddress('actual')]).toEqual(['1', '0']));
    await user.click(cell);
    await waitFor(() => expect([inAddress('predicted'), inAddress('actual')]).toEqual([null, null]));
  });

  it('filters by a range of the best score, by the slider below its histogram', async () => {
    mount('images');
    const lowest = await screen.findByRole('slider', { name: 'Lowest score' });
    lowest.focus();
    await user.keyboard('{ArrowRight}');
    await waitFor(() => expect(inAddress('above')).toBe('0.05'));
    await user.click(screen.getByRole('button', { name: 'Remove filter: Score from 0.05' }));
    await waitFor(() => expect(inAddress('above')).toBeNull());
  });

  it('says how many were scanned when nothing matches, and offers a way out', async () => {
    mount('images', '?outcome=correct&predicted=0&actual=1');
    await screen.findByText('Nothing matches');
    expect(screen.getByText(/None of the 400 samples scanned/)).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Clear filters' }));
    expect((await cards()).length).toBeGreaterThan(0);
  });

  it('reads on when asked, and stops asking in between', async () => {
    const transport = mount('many');
    await screen.findByRole('button', { name: 'Scan further' });
    expect(screen.getByText('2,000', { selector: '[role=status] b:first-child' })).toBeInTheDocument();
    const samples = () => transport.log.filter((line) => line.endsWith('/api/samples')).length;
    let before: number;
    do {
      before = samples();
      await new Promise((resolve) => setTimeout(resolve, 900));
    } while (samples() > before); // without end, if it kept asking
    await user.click(screen.getByRole('button', { name: 'Scan further' }));
    await waitFor(() => expect(inAddress('scan')).toBe('4000'));
    await waitFor(() => expect(samples()).toBeGreaterThan(before + 1));
  });

  it('says that names and outputs do not fit', async () => {
    const there = fakeTransport('images');
    mount('images', '', {
      fetch: async (request) => {
        const answer = await there.fetch(request);
        if (!request.url.endsWith('/api/workspace')) return answer;
        const workspace = await answer.json();
        workspace.models[0].outputs = 10;
        workspace.classes.push('class 6', 'class 7', 'class 8', 'class 9');
        return Response.json(workspace);
      },
    });
    expect(await screen.findByText(/^The model has 10 outputs, but 6 are named/)).toBeVisible();
  });

  it('speaks of no outcome where there are no labels', async () => {
    mount('unlabelled');
    expect(await screen.findByText(/^No labels:/)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: /^Incorrect/ })).toBeNull();
    expect(screen.queryByRole('grid')).toBeNull();
  });
});

describe('understand', () => {
  it('selects the first sample, explains its label, and another class on a click', async () => {
    mount('images');
    const [first] = await cards();
    const region = await panel();
    expect(within(region).getByRole('heading', { name: `Sample ${first}` })).toBeInTheDocument();
    await within(region).findByText(/of the output for class/);
    const rows = within(region).getAllByRole('button', { name: /^Explain / });
    const other = rows.find((row) => row.getAttribute('aria-pressed') === 'false') as HTMLElement;
    await user.click(other);
    await waitFor(() => expect(inAddress('target')).not.toBeNull());
    await waitFor(() => expect(other).toHaveAttribute('aria-pressed', 'true'));
  });

  it('steps with j and k', async () => {
    mount('images');
    const [first, second] = await cards();
    await user.keyboard('j');
    await waitFor(() => expect(inAddress('sample')).toBe(String(second)));
    await user.keyboard('k');
    await waitFor(() => expect(inAddress('sample')).toBe(String(first)));
  });

  it('reproduces a link to a sample and a class', async () => {
    mount('images', '?sample=43&target=2&method=Saliency&view=overlay');
    const region = await panel();
    await within(region).findByText(/Saliency of the output for class ‘cross’/);
    expect(within(region).getByRole('radio', { name: 'Overlay' })).toBeChecked();
    expect(within(region).getByText(/does not promise that its attributions add up/)).toBeInTheDocument();
  });

  it('asks for a linked sample by its number, wherever it is in the list', async () => {
    const transport = mount('images', '?sample=391');
    await within(await panel()).findByText(/of the output for class/);
    expect(transport.log.filter((line) => line === 'GET /api/samples/391')).toHaveLength(1);
  });

  it('keeps the selected sample when it leaves the list, without asking for it again', async () => {
    const transport = mount('images', '?order=index');
    await cards();
    await user.keyboard('jj');
    await waitFor(() => expect(inAddress('sample')).toBe('2'));
    const detail = await within(await panel()).findByText(/of the output for class/);
    await user.click(screen.getByRole('combobox', { name: 'Order' }));
    await user.click(await screen.findByRole('option', { name: 'Mistakes first' }));
    await waitFor(async () => expect(await cards()).not.toContain(2));
    expect(detail).toBeInTheDocument();
    expect(transport.log).not.toContain('GET /api/samples/2');
  });

  it('says that a linked sample does not exist, and offers another', async () => {
    mount('images', '?sample=4000');
    const region = within(await panel());
    expect(await region.findByText('Sample 4000 cannot be shown')).toBeVisible();
    expect(region.getByText(/There is no sample 4000/)).toBeVisible();
    expect(region.queryByRole('button', { name: 'Try again' })).toBeNull();
    await user.click(region.getByRole('button', { name: 'Show the first match' }));
    expect(await region.findByText(/of the output for class/)).toBeVisible();
  });

  it('says whether the attributions add up', async () => {
    mount('images', '?sample=0');
    await within(await panel()).findByText(/do not add up/);
    expect(
      await screen.findByText(/^Values beyond ±.* \(99th percentile of \|a\|\) are clipped/),
    ).toBeVisible();
  });
});

describe('look', () => {
  it('shows what failed and why on the card, and tries again', async () => {
    const transport = mount('errors', '?order=index');
    const notes = await screen.findAllByText(/ran out of memory on cuda:0/);
    const posts = transport.log.filter((line) => line.startsWith('POST')).length;
    const card = notes[0]?.closest('article') as HTMLElement;
    await user.click(within(card).getByRole('button', { name: 'Retry' }));
    await waitFor(() => expect(transport.log.filter((l) => l.startsWith('POST')).length).toBe(posts + 1));
    expect(screen.getAllByText('The transform failed.').length).toBeGreaterThan(0);
    expect(screen.getByText(/image file is truncated/)).toBeInTheDocument();
  });

  it('shows how far a slow explanation is, and cancels it', async () => {
    const transport = mount('slow', '?order=index');
    const [cancel] = await screen.findAllByRole('button', { name: 'Cancel' });
    await user.click(cancel as HTMLElement);
    await screen.findAllByText('Cancelled.');
    expect(transport.log.some((line) => line.startsWith('DELETE'))).toBe(true);
  });

  it('shows what each of several models says', async () => {
    mount('models');
    const [card] = await screen.findAllByRole('article');
    expect(within(card as HTMLElement).getByText('SqueezeNet')).toBeInTheDocument();
  });
});

describe('the workspace', () => {
  it('is fetched again once the server has learnt more of it', async () => {
    const there = fakeTransport('images');
    let asked = 0;
    mount('images', '', {
      fetch: async (request) => {
        const answer = await (await there.fetch(request)).json();
        if (answer.progress) answer.progress.workspace = 2;
        if (!request.url.endsWith('/api/workspace')) return Response.json(answer);
        asked += 1;
        return Response.json({ ...answer, revision: asked, title: `Revision ${asked}` });
      },
    });
    expect(await screen.findByText('Revision 2')).toBeVisible();
    await screen.findAllByRole('article');
    expect(asked).toBe(2);
  });
});

describe('states without samples', () => {
  it('says that the dataset is empty', async () => {
    mount('empty');
    expect(await screen.findByText('No samples')).toBeInTheDocument();
  });

  it('says that the server is gone, and tries again', async () => {
    const transport = mount('gone');
    const again = await screen.findByRole('button', { name: 'Try again' });
    const before = transport.log.length;
    await user.click(again);
    await waitFor(() => expect(transport.log.length).toBeGreaterThan(before));
  });
});

describe('a server that is gone meanwhile', () => {
  it('is explained in the panel, said in a line on each card, and asked again', async () => {
    const there = fakeTransport('images');
    let gone = true;
    mount('images', '', {
      fetch: (request) =>
        gone && request.method === 'POST' ? Promise.reject(new TypeError('refused')) : there.fetch(request),
    });
    const region = within(await panel());
    expect(await region.findByText('The server does not answer.', {}, { timeout: 5000 })).toBeVisible();
    const [card] = await screen.findAllByRole('article');
    expect(await within(card as HTMLElement).findByText('No answer.')).toBeVisible();
    gone = false;
    await user.click(region.getByRole('button', { name: 'Retry' }));
    await region.findByText(/of the output for class/);
    await waitFor(() => expect(screen.queryByText('No answer.')).toBeNull());
  });
});

describe('parameters', () => {
  it('sends valid values, explains invalid ones, and goes back to the defaults', async () => {
    mount('images');
    await user.click(await screen.findByRole('button', { name: 'Parameters of the method' }));
    const steps = await screen.findByRole('textbox', { name: 'Steps' });
    expect(screen.getByRole('textbox', { name: 'Batch size' })).toHaveAttribute('placeholder', 'auto');
    await user.type(steps, '1');
    expect(screen.getByText('At least 2.')).toBeInTheDocument();
    await user.type(steps, '0');
    await waitFor(() => expect(inAddress('args')).toBe('{"n_steps":10}'));
    await user.click(screen.getByRole('button', { name: 'Reset to defaults' }));
    await waitFor(() => expect(inAddress('args')).toBeNull());
  });

  it('keeps what was typed when the form is closed or reset at once', async () => {
    mount('images');
    const form = await screen.findByRole('button', { name: 'Parameters of the method' });
    await user.click(form);
    await user.type(await screen.findByRole('textbox', { name: 'Steps' }), '20{Escape}');
    await waitFor(() => expect(screen.queryByRole('textbox', { name: 'Steps' })).toBeNull());
    await waitFor(() => expect(inAddress('args')).toBe('{"n_steps":20}'), { timeout: 300 });
    await user.click(form);
    await user.type(await screen.findByRole('textbox', { name: 'Steps' }), '0');
    await user.click(screen.getByRole('button', { name: 'Reset to defaults' }));
    await waitFor(() => expect(inAddress('args')).toBeNull());
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(inAddress('args')).toBeNull();
  });
});
