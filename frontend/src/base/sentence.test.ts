import { expect, it } from 'vitest';
import { sentence, sentences } from './sentence';

it('starts with a capital and ends', () => {
  expect(sentence('labels of shape (10, 6) do not fit a batch of 10')).toBe(
    'Labels of shape (10, 6) do not fit a batch of 10.',
  );
  expect(sentence('a label is needed')).toBe('A label is needed.');
  expect(sentence('Is it there?')).toBe('Is it there?');
});

it('leaves code as it is written', () => {
  expect(sentence('n_steps must be positive')).toBe('n_steps must be positive.');
  expect(sentence('forward() takes 2 arguments')).toBe('forward() takes 2 arguments.');
  expect(sentence('mat1 and mat2 shapes cannot be multiplied')).toBe(
    'mat1 and mat2 shapes cannot be multiplied.',
  );
  expect(sentence("'x' is missing")).toBe("'x' is missing.");
});

it('does not let sentences run together', () => {
  expect(sentences('they do not fit', '', 'expected one class index')).toBe(
    'They do not fit. Expected one class index.',
  );
});
