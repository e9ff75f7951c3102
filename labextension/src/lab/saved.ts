import type { Contents } from '@jupyterlab/services';
import { t } from '../core/text';
import { isSavedModel, modelPath, versions } from './naming';

/**
 * The path that `%tf_model add` is to read where a person points at an item of the file browser. A folder has to
 * be a SavedModel, or to have numbered ones in it, of which the kernel takes the highest.
 */
export async function savedAt(contents: Contents.IManager, item: Contents.IModel): Promise<string> {
  if (item.type === 'directory' && !(await isOneOrHasOne(contents, item.path)))
    throw new Error(
      t(
        '{name} is no SavedModel: there is no saved_model.pb or saved_model.pbtxt in it, nor in a numbered folder.',
        { name: item.name }
      )
    );
  return modelPath(contents.localPath(item.path));
}

async function isOneOrHasOne(contents: Contents.IManager, path: string): Promise<boolean> {
  const items = await inside(contents, path);
  if (isSavedModel(namesOf(items))) return true;
  const folders = items.filter(({ type }) => type === 'directory');
  for (const version of versions(namesOf(folders)))
    if (isSavedModel(namesOf(await inside(contents, `${path}/${version}`)))) return true;
  return false;
}

async function inside(contents: Contents.IManager, path: string): Promise<Contents.IModel[]> {
  const folder = await contents.get(path, { content: true });
  return folder.content as Contents.IModel[];
}

function namesOf(items: readonly Contents.IModel[]): string[] {
  return items.map(({ name }) => name);
}
