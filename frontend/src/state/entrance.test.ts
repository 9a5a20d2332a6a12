import { describe, expect, it } from 'vitest';
import { pageEntrance, tokenIn } from './entrance';

describe('what a person pastes', () => {
  it.each([
    ['http://127.0.0.1:8000/?token=abc-DEF_1.~', 'abc-DEF_1.~'],
    ['Attribution Insights is at http://127.0.0.1:8000/?token=abc\n', 'abc'],
    ['http://127.0.0.1:8000/?sample=3&token=abc&view=map#x', 'abc'],
    ['  abc ', 'abc'],
    ['http://127.0.0.1:8000/', null],
    ['two words', null],
    ['', null],
  ])('%j has the token %j', (pasted, token) => {
    expect(tokenIn(pasted)).toBe(token);
  });
});

describe('the address of the page', () => {
  it('loses a token that the server did not take, and nothing else', () => {
    history.replaceState({ kept: 1 }, '', '/?sample=3&token=old&args=%7B%22a%22%3A1%7D');
    expect(pageEntrance().refused).toBe(true);
    expect(new URLSearchParams(location.search).get('args')).toBe('{"a":1}');
    expect(location.search).not.toContain('token');
    expect(history.state).toEqual({ kept: 1 });
    expect(pageEntrance().refused).toBe(false);
  });
});
