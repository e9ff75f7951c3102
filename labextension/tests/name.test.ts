import { describe, expect, it } from 'vitest';
import { Name } from '../src/core/name';

function parts(text: string): (string | null)[] {
  const name = new Name();
  name.set(text);
  expect(name.element.textContent).toBe(text);
  return [...name.element.children].map(child => child.textContent);
}

describe('a name', () => {
  it('keeps its end apart, so that it is cut in the middle', () => {
    expect(parts('resnet/block_1/conv_2/kernel_regularizer')).toEqual([
      'resnet/block_1/conv_2/kern',
      'el_regularizer'
    ]);
  });

  it('stays in one where it is short, or may be read from the right', () => {
    expect(parts('digits')).toEqual(['digits', '']);
    const arabic = '\u0646\u0645\u0648\u0630\u062c/'.repeat(10);
    expect(parts(arabic)).toEqual([arabic, '']);
  });
});
