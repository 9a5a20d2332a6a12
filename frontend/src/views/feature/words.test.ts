import { describe, expect, it } from 'vitest';
import { piecesOf, sentencesOf, wordsOf } from './words';

const texts = (tokens: string) => wordsOf(tokens.split(' ')).map(({ text }) => text);

describe('words', () => {
  it.each([
    [
      'WordPiece',
      '[CLS] un ##believ ##able , she said [SEP]',
      ['[CLS]', 'unbelievable', ',', 'she', 'said', '[SEP]'],
    ],
    [
      'SentencePiece',
      '<s> ▁un believ able ▁she ▁said . </s>',
      ['<s>', 'unbelievable', 'she', 'said', '.', '</s>'],
    ],
    [
      'bytes',
      '<|endoftext|> Un believ able ĠcafÃ© Ġ3 . 5 .',
      ['<|endoftext|>', 'Unbelievable', 'café', '3.5', '.'],
    ],
    ['marked ends', 'un believ able</w> she</w>', ['unbelievable', 'she']],
    ['marked joints', 'un@@ believ@@ able she', ['unbelievable', 'she']],
    ['no pieces', 'a film ## or @@', ['a', 'film', '##', 'or', '@@']],
  ])('are made of the pieces of %s', (_, tokens, words) => expect(texts(tokens)).toEqual(words));

  it('know their pieces', () => {
    expect(wordsOf(['[CLS]', 'mov', '##ing', '.'])).toEqual([
      { text: '[CLS]', from: 0, to: 1, special: true },
      { text: 'moving', from: 1, to: 3, special: false },
      { text: '.', from: 3, to: 4, special: false },
    ]);
  });

  it('leave marks of the tokenizer alone, also padding without a space', () => {
    expect(texts('▁a ▁film <pad> <pad>')).toEqual(['a', 'film', '<pad>', '<pad>']);
    expect(piecesOf(['<|im_start|>', '[MASK]', '[PAD]']).map(({ special }) => special)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('show what cannot be seen', () => {
    expect(texts('Ġa Ċ Ċ Ġ film')).toEqual(['a', '↵', '↵', 'film']);
  });

  it('take no letters for bytes that are none', () => {
    expect(texts('Ġorġ ż')).toEqual(['Ġorġ', 'ż']);
  });
});

describe('sentences', () => {
  it('end with a stop, and keep marks apart', () => {
    const words = wordsOf('[CLS] It is ( quiet ##ly ) fun ! “ Yes . ” Or not ? [SEP]'.split(' '));
    expect(sentencesOf(words)).toEqual([
      { text: '[CLS]', from: 0, to: 1, special: true },
      { text: 'It is (quietly) fun!', from: 1, to: 9, special: false },
      { text: '“Yes.”', from: 9, to: 13, special: false },
      { text: 'Or not?', from: 13, to: 16, special: false },
      { text: '[SEP]', from: 16, to: 17, special: true },
    ]);
  });
});
