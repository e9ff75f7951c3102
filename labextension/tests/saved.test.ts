import type { Contents } from '@jupyterlab/services';
import { expect, it } from 'vitest';
import { savedAt } from '../src/lab/saved';

const FILES = [
  'models/one/saved_model.pb',
  'models/digits/1/saved_model.pb',
  'models/digits/10/saved_model.pbtxt'
];
const OTHERS = ['models/digits/11/notes.txt', 'models/pictures/7', 'models/pictures/cats/saved_model.pb'];

/** A server's files, of which everything but the last part of a path is a folder; and what was asked for. */
function files(): { contents: Contents.IManager; asked: string[] } {
  const asked: string[] = [];
  const get = (path: string): Promise<{ content: unknown[] }> => {
    asked.push(path);
    const under = [...FILES, ...OTHERS].filter(file => file.startsWith(`${path}/`));
    const parts = under.map(file => file.slice(path.length + 1).split('/'));
    const found = new Map(parts.map(([name, ...more]) => [name, more.length > 0 ? 'directory' : 'file']));
    return Promise.resolve({ content: [...found].map(([name, type]) => ({ name, type })) });
  };
  return { contents: { get, localPath: (path: string) => path } as unknown as Contents.IManager, asked };
}

const at = (contents: Contents.IManager, path: string, type = 'directory'): Promise<string> =>
  savedAt(contents, { path, name: path.split('/').at(-1)!, type } as Contents.IModel);

it('is the folder of a SavedModel, or what its graph’s file is in', async () => {
  const { contents } = files();
  expect(await at(contents, 'models/one')).toBe('models/one');
  expect(await at(contents, 'models/one/saved_model.pb', 'file')).toBe('models/one');
});

it('is the folder of numbered SavedModels, which the kernel chooses from', async () => {
  const { contents, asked } = files();
  expect(await at(contents, 'models/digits')).toBe('models/digits');
  expect(asked).toEqual(['models/digits', 'models/digits/11', 'models/digits/10']);
});

it('is no other folder, and that is said in one line', async () => {
  const { contents } = files();
  const said =
    'pictures is no SavedModel: there is no saved_model.pb or saved_model.pbtxt in it, nor in a numbered folder.';
  await expect(at(contents, 'models/pictures')).rejects.toThrow(said);
});
