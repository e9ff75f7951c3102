import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

/** Put a cell of code below the active one, and run it. */
export async function runNewCell(panel: NotebookPanel, code: string): Promise<void> {
  const { content, sessionContext } = panel;
  NotebookActions.insertBelow(content);
  // A person may have set that new cells are text.
  if (content.activeCell?.model.type !== 'code') NotebookActions.changeCellType(content, 'code');
  content.activeCell?.model.sharedModel.setSource(code);
  panel.context.model.dirty = true;
  await NotebookActions.run(content, sessionContext);
}
