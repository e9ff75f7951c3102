import { describe, expect, it } from 'vitest';
import { isModelFile, isSavedModel, modelName, modelPath, quoted } from '../src/lab/naming';

const name = (path: string, ...taken: string[]): string => modelName(path, new Set(taken));

describe('a model from a file', () => {
  it('is called as the file is, as far as Python can read that', () => {
    expect(name('models/digits.keras')).toBe('digits');
    expect(name('a/it\'s a "model".h5')).toBe('it_s_a_model');
    expect(name('größe.pb')).toBe('größe');
    expect(name('2nd try.keras')).toBe('model_2nd_try');
    expect(name('__init__.pb')).toBe('init');
    expect(name('--- .keras')).toBe('model');
    expect(name('ﬁne.keras')).toBe('fine');
  });

  it('is called after the folder above where its own name is a version', () => {
    expect(name('models/digits/1')).toBe('digits');
    expect(name('1')).toBe('model_1');
  });

  it('has no name that means something else', () => {
    expect(['add.keras', 'class.h5', 'values.pb', 'None.pb'].map(path => name(path))).toEqual([
      'add_model',
      'class_model',
      'values_model',
      'None_model'
    ]);
  });

  it('has a name that no other has', () => {
    expect(name('digits.keras', 'digits')).toBe('digits_2');
    expect(name('digits.keras', 'digits', 'digits_2')).toBe('digits_3');
  });

  it('is written as Python would, whatever its path is', () => {
    expect(quoted('models/digits.keras')).toBe("'models/digits.keras'");
    expect(quoted("it's")).toBe(`"it's"`);
    expect(quoted(`it's "it"`)).toBe(`'it\\'s "it"'`);
    expect(quoted("a\\b's")).toBe(`"a\\\\b's"`);
    expect(quoted('two\nlines')).toBe("'two\\u000alines'");
  });

  it('is a SavedModel by what is in the folder', () => {
    expect(isSavedModel(['assets', 'saved_model.pb'])).toBe(true);
    expect(isSavedModel(['saved_model.pbtxt'])).toBe(true);
    expect(isSavedModel(['model.pb', 'variables'])).toBe(false);
    expect(modelPath('models/digits/saved_model.pb')).toBe('models/digits');
    expect(modelPath('models/frozen.pb')).toBe('models/frozen.pb');
  });

  it('may be a file of these kinds', () => {
    const names = ['a.keras', 'a.h5', 'A.PB', 'a.ipynb', 'keras', 'a.keras.txt'];
    expect(names.filter(isModelFile)).toEqual(['a.keras', 'a.h5', 'A.PB']);
  });
});
