import { describe, expect, it } from 'vitest';
import { sizeTicks } from '../src/core/scale';
import { bytes, clock, dimensions, end, seconds, setUnits, share, span } from '../src/core/units';
import { cut, named, setTranslator, t, tn } from '../src/core/text';

describe('units', () => {
  it('writes sizes in powers of ten with three digits, as the kernel does', () => {
    expect([0, 999, 1000, 26_600_000, 999_600, 1_340_000_000, -5000].map(bytes)).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '26.6 MB',
      '1 MB',
      '1.34 GB',
      '−5 kB'
    ]);
  });

  it('writes them in powers of two where that is chosen, the marks of a chart too', () => {
    setUnits('binary');
    const kib = 1024;
    expect([0, 1000, 1023, 1024, 1.5 * kib, 1023 * kib, kib ** 2, 2.5 * kib ** 3, -kib].map(bytes)).toEqual([
      '0 B',
      '1000 B',
      '1023 B',
      '1 KiB',
      '1.5 KiB',
      '1023 KiB',
      '1 MiB',
      '2.5 GiB',
      '−1 KiB'
    ]);
    expect(sizeTicks(2.3 * kib ** 3, 5).map(bytes)).toEqual([
      '0 B',
      '512 MiB',
      '1 GiB',
      '1.5 GiB',
      '2 GiB',
      '2.5 GiB'
    ]);
    setUnits('decimal');
    expect(bytes(1024)).toBe('1.02 kB');
  });

  it('says that what is not known is unknown, and never 0', () => {
    expect([bytes(null), share(null), seconds(null)]).toEqual(['unknown', 'unknown', '–']);
  });

  it('writes durations in the unit that suits', () => {
    expect([1.8e-5, 0.0421, 2, 3.14159].map(seconds)).toEqual(['18 µs', '42.1 ms', '2 s', '3.14 s']);
    expect([0, 1, 59, 61, 7200, 400_000].map(span)).toEqual([
      '0 seconds',
      '1 second',
      '59 seconds',
      '1 minute',
      '2 hours',
      '4 days'
    ]);
  });

  it('does not round a small share down to nothing', () => {
    expect([0, 0.0004, 0.055, 0.5, 1.83].map(share)).toEqual(['0 %', '<0.1 %', '5.5 %', '50 %', '183 %']);
  });

  it('writes ends with type and shape, open dimensions as question marks', () => {
    const x = { name: 'x', dtype: 'float32', shape: [null, 28], tensor: null, optional: true };
    expect(end(x)).toBe('x?: float32[?, 28]');
    expect(dimensions(null)).toBe('[…]');
    expect(clock(0)).toMatch(/^\d\d:\d\d:\d\d$/);
  });
});

describe('texts', () => {
  it('fills holes once, and with nothing that is inherited', () => {
    expect(t('{a} {b} {constructor}', { a: '{b}', b: 2 })).toBe('{b} 2 {constructor}');
    expect([tn('{n} model', '{n} models', 1), tn('{n} model', '{n} models', 1000)]).toEqual([
      '1 model',
      '1,000 models'
    ]);
  });

  it('come from the translator that a host put in', () => {
    setTranslator(text => text.toUpperCase().replace('{NAME}', '{name}'));
    expect(t('drop {name}', { name: 'digits' })).toBe('DROP digits');
    setTranslator(text => text);
  });

  it('keep a name within a sentence apart from its direction, and short', () => {
    expect(named('نموذج')).toBe('\u2068نموذج\u2069');
    expect(cut('x'.repeat(10_000), 60)).toHaveLength(60);
  });
});
