import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

/** Put a cell of code below the active one, where it is seen, and run it. */
export async function runNewCell(panel: NotebookPanel, code: string): Promise<void> {
  const { content, sessionContext } = panel;
  NotebookActions.insertBelow(content);
  // A person may have set that new cells are text.
  if (content.activeCell?.model.type !== 'code') NotebookActions.changeCellType(content, 'code');
  content.activeCell?.model.sharedModel.setSource(code);
  panel.context.model.dirty = true;
  const cell = content.activeCell;
  await NotebookActions.run(content, sessionContext);
  // Now that what it has shown is there, too; whoever has gone on to another cell stays there.
  if (cell !== null && cell === content.activeCell)
    await content.scrollToItem(content.activeCellIndex).catch(() => undefined);
}
