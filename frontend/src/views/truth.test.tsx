import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { altered, inAddress, mount } from '../test/mount';

const user = userEvent.setup();
const panel = async () => within(await screen.findByRole('region', { name: 'Selected sample' }));
const status = () => screen.getAllByRole('status')[0];

/** Changes every explanation that is done. */
// biome-ignore lint/suspicious/noExplicitAny: any part of it
const explained = (change: (attribution: any) => void) => (answer: any) => {
  if (answer.attribution) change(answer.attribution);
};

describe('the numbers of an explanation', () => {
  it('are the shares that the server gives', async () => {
    mount('multimodal', '?sample=0');
    const parts = await (await panel()).findByRole('list', { name: 'Contribution of each input' });
    const shares = within(parts)
      .getAllByRole('listitem')
      .map((item) => item.children[2]?.textContent);
    expect(shares).toEqual(['62.0 %', '25.0 %', '11.0 %', '2.0 %']);
  });

  it('are an output and a score, which are two things', async () => {
    mount(
      'text',
      '?sample=0',
      altered(
        'text',
        explained((it) => Object.assign(it, { output: -0.739 })),
      ),
    );
    const region = await panel();
    const sentence = await region.findByText(/^Integrated Gradients of the output for class/);
    expect(sentence).toHaveTextContent(/Output \u22120\.739\s*Score 0\.\d{3}(?!\d)/);
    expect(sentence).not.toHaveTextContent('=');
  });

  it('are one number where score_func changes nothing', async () => {
    const same = altered('text', (answer) => {
      if (answer.attribution) answer.attribution.output = 0.25;
      const listed = answer.samples ?? (answer.predictions ? [answer] : []);
      for (const { predictions } of listed) for (const each of predictions[0].classes) each.score = 0.250001;
    });
    mount('text', '?sample=0', same);
    const sentence = await (await panel()).findByText(/^Integrated Gradients of the output for class/);
    expect(sentence).toHaveTextContent(/Output 0\.25(?!\d)/);
    expect(sentence).not.toHaveTextContent('Score');
  });

  it('get no plain tick where they add up by cancelling', async () => {
    const completeness = {
      total: -0.36,
      change: -0.364,
      delta: 0.004,
      adds_up: true,
      cancellation: 60.2,
      cancels: true,
    };
    mount(
      'general',
      '?sample=1&compare=IntegratedGradients',
      altered(
        'general',
        explained((it) => Object.assign(it, { completeness })),
      ),
    );
    const region = await panel();
    const said = await region.findByText(/add up, but only because large ones cancel/);
    expect(said).toHaveTextContent('The parts for and against come to 60 times that sum');
    expect(said.closest('li')).toHaveAttribute('data-tone', 'warn');
    expect(await region.findAllByText('adds up by cancellation')).toHaveLength(2); // beside the numbers, and on the tile
  });

  it('come with what is to be known of the method', async () => {
    const caveat = 'Its maps hardly depend on the class that is explained.';
    mount(
      'images',
      '?sample=1',
      altered('images', (answer) => {
        if (answer.methods) answer.methods[0].caveat = caveat;
      }),
    );
    const region = await panel();
    expect((await region.findByText(caveat)).closest('li')).toHaveAttribute('data-tone', 'warn');
    await user.click(screen.getByRole('combobox', { name: 'Attribution method' }));
    expect(await screen.findByRole('option', { name: new RegExp(caveat) })).toBeInTheDocument();
  });
});

describe('the sign', () => {
  it('is not offered where a method has none, nor drawn', async () => {
    mount('images', '?sample=1&method=Saliency&sign=negative');
    const region = await panel();
    expect(await region.findByText(/^Saliency says how much each part matters/)).toBeVisible();
    expect(region.queryByRole('radiogroup', { name: 'Sign' })).toBeNull();
    expect(await region.findByText(/^The stronger the red/)).toBeVisible();
    expect(region.queryByText(/speaks against/)).toBeNull();
  });

  it('is not offered for magnitudes', async () => {
    mount('images', '?sample=1&channels=magnitude&sign=negative');
    const region = await panel();
    expect(await region.findByText(/^The magnitude over channels says/)).toBeVisible();
    expect(await region.findByText(/^The stronger the red/)).toBeVisible();
  });

  it('is said to have no values where there are none', async () => {
    const positive = explained((it) => {
      for (const map of it.inputs[0].maps) map.minimum = 0;
    });
    mount('images', '?sample=1&sign=negative', altered('images', positive));
    const region = await panel();
    expect(await region.findByText(/^Nothing speaks against/)).toBeVisible();
    expect(region.getByText('No value is negative.')).toBeVisible();
  });
});

describe('the unit of a map', () => {
  it('is said in the legend and with what is read', async () => {
    const patches = explained((it) => {
      for (const map of it.inputs[0].maps) map.unit = 'patch';
    });
    mount('tiny', '?sample=1', altered('tiny', patches));
    const region = await panel();
    expect(await region.findByText(/^Every pixel shows the value of its whole patch\./)).toBeVisible();
    expect(region.getByText(/to read the value of a patch$/)).toBeVisible();
    await waitFor(() => {
      region.getByRole('application').blur();
      region.getByRole('application').focus();
      expect(document.querySelector('[aria-live]')).toHaveTextContent(
        /^row \d+, column \d+, value of its patch: [+\u2212]/,
      );
    });
  });
});

describe('counts', () => {
  it('are those of one answer', async () => {
    mount(
      'images',
      '',
      altered('images', (answer, path) => {
        if (path.endsWith('/summary')) answer.correct -= 13; // could not be predicted
        if (path.endsWith('/samples')) Object.assign(answer.progress, { scanned: 208 });
      }),
    );
    const all = await screen.findByRole('button', { name: /^All/ });
    expect(all).toHaveTextContent('400'); // whatever has an outcome
    await waitFor(() => expect(status()).toHaveTextContent('Scanned 400 of 400 · 400 match'));
  });

  it('tell what could not be read from what could not be predicted', async () => {
    mount(
      'images',
      '',
      altered('images', (answer) => {
        if (answer.progress) Object.assign(answer.progress, { failed: 20, unreadable: 3 });
      }),
    );
    await waitFor(() =>
      expect(status()).toHaveTextContent('3 could not be read · 17 could not be predicted'),
    );
  });

  it('do not call failed outputs unlabelled', async () => {
    mount(
      'images',
      '',
      altered('images', (answer) => {
        if (answer.correct !== undefined)
          Object.assign(answer, { correct: 0, incorrect: 0, unlabelled: 400 });
      }),
    );
    expect(
      await screen.findByText('No outcomes: none of the 400 labelled samples could be predicted.'),
    ).toBeVisible();
    expect(screen.queryByText(/^No labels/)).toBeNull();
  });
});

describe('the axis of scores', () => {
  it('has short numbers, however many samples there are', async () => {
    const many = altered('images', (answer) => {
      for (const group of ['correct', 'incorrect', 'unlabelled'])
        if (answer.scores?.[group]) answer.scores[group] = answer.scores[group].map((n: number) => 1000 * n);
    });
    mount('images', '', many);
    const plot = await screen.findByRole('img', { name: /^Histogram of the best score of \d+,000 samples/ });
    const labels = [...plot.querySelectorAll('text')].map((label) => label.textContent ?? '');
    expect(labels.some((label) => /^\d+(\.\d)?K$/.test(label))).toBe(true);
    expect(labels.filter((label) => label.length > 5)).toEqual([]);
  });
});

describe('what only one model cannot do', () => {
  const failing = altered('models', (answer) => {
    for (const sample of answer.samples ?? (answer.inputs ? [answer] : [])) {
      sample.error = { type: 'ValueError', message: 'too wide', hint: 'The model Other was called.' };
      Object.assign(sample.predictions[1], { predicted: null, classes: [], correct: null });
    }
  });

  it('is no obstacle to explaining another', async () => {
    mount('models', '?sample=0', failing);
    const region = await panel();
    expect(await region.findByText(/of the output for class/)).toBeVisible();
    expect(region.getByText('too wide')).toBeVisible();
  });

  it('is not explained', async () => {
    mount('models', '?sample=0&model=1', failing);
    const region = await panel();
    expect(await region.findByText('too wide')).toBeVisible();
    expect(region.queryByText(/of the output for class/)).toBeNull();
  });
});

describe('refusals', () => {
  it.each(['Refused', 'Not found'])('are told in sentences, without the word: %s', async (type) => {
    const error = {
      type,
      message: 'labels of shape (10, 6) do not fit',
      hint: 'expected one class index',
    };
    mount(
      'images',
      '?sample=0',
      altered('images', (answer) => {
        for (const sample of answer.samples ?? []) sample.error = error;
      }),
    );
    const region = await panel();
    expect(await region.findByText('Labels of shape (10, 6) do not fit.')).toBeVisible();
    expect(region.getByText('Expected one class index.')).toBeVisible();
    expect(screen.queryByText(new RegExp(type))).toBeNull();
  });
});

describe('links', () => {
  it('to a sample further down load the list as far as it', async () => {
    mount('images', '?sample=391&order=index');
    const region = await panel();
    expect(await region.findByText(/^Further down the list/)).toBeVisible();
    await waitFor(() => expect(region.queryByText(/^Further down the list/)).toBeNull());
  });

  it('to a sample further down say so while the data is being read', async () => {
    let pages = 0;
    const reading = altered('images', (answer, path) => {
      pages += Number(path.endsWith('/samples'));
      if (answer.progress) answer.progress.scanning = true;
    });
    mount('images', '?sample=391&order=index', reading);
    expect(await (await panel()).findByText(/^Further down the list/)).toBeVisible();
    await waitFor(() => expect(pages).toBeGreaterThan(1)); // asked again, and only the first page
    expect((await panel()).getByText(/^Further down the list/)).toBeVisible();
  });

  it('to a sample that the filters leave out say so, and offer to clear them', async () => {
    mount('images', '?sample=391&outcome=incorrect');
    const region = await panel();
    expect(await region.findByText(/^Outside the filters/)).toBeVisible();
    await user.click(region.getByRole('button', { name: 'Clear filters' }));
    await waitFor(() => expect([inAddress('outcome'), inAddress('sample')]).toEqual([null, '391']));
    await waitFor(() => expect(region.queryByText(/^Outside the filters/)).toBeNull());
  });

  it('to a sample that is listed say nothing', async () => {
    mount('images', '?sample=1&order=index');
    const region = await panel();
    await region.findByText(/of the output for class/);
    expect(region.queryByRole('note')).toBeNull();
  });

  it('to a method or a model that is not there say what is shown', async () => {
    mount('images', '?method=Magic&model=4');
    const note = await screen.findByText(
      /^The link asks for the method ‘Magic’, which is not offered here: Integrated Gradients is shown\./,
    );
    expect(note).toHaveTextContent('The link asks for model 4, which is not here: Small net is shown.');
    await user.click(screen.getByRole('button', { name: 'Dismiss' }));
    await waitFor(() => expect(screen.queryByText(/^The link asks/)).toBeNull());
  });
});

describe('labels beyond the outputs', () => {
  const beyond = altered('images', (answer) => {
    answer.classes?.push?.(
      ...(answer.confusion ? [{ index: 12, name: 'class 12', predicted: 0, actual: 3 }] : []),
    );
  });

  it('are a filter by truth, not by prediction', async () => {
    mount('images', '', beyond);
    const predicted = within(await screen.findByRole('group', { name: 'Predicted classes' }));
    await predicted.findByRole('button', { name: /^circle/ });
    expect(predicted.queryByRole('button', { name: /^class 12/ })).toBeNull();
    await user.click(screen.getByText('True', { selector: 'span' }));
    const row = await within(screen.getByRole('group', { name: 'True classes' })).findByRole('button', {
      name: /^class 12/,
    });
    await user.click(row);
    await waitFor(() => expect(inAddress('actual')).toBe('12'));
    expect(await screen.findByRole('button', { name: 'Remove filter: True class 12' })).toBeVisible();
    expect(row).toHaveAttribute('aria-pressed', 'true');
  });
});

describe('weights that changed', () => {
  it('are said', async () => {
    mount(
      'images',
      '',
      altered('images', (answer) => {
        if (answer.progress) answer.progress.changed_models = ['Small net'];
      }),
    );
    expect(
      await screen.findByText(/^The weights of Small net have changed since these predictions/),
    ).toBeVisible();
  });
});
