import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { freshId, h } from '../core/dom';
import { t } from '../core/text';

/** Which one of several, with none chosen before a person has; the dialog's button waits for that. */
class Choice extends Widget implements Dialog.IBodyWidget {
  private readonly select: HTMLSelectElement;

  constructor(label: string, items: readonly string[]) {
    super();
    const id = freshId('choice');
    // In the dress of JupyterLab's own dialogs that ask for something.
    this.addClass('jp-Input-Dialog');
    this.select = h(
      'select',
      { id, required: true, class: 'jp-mod-styled' },
      h('option', { value: '' }, t('Choose a model')),
      ...items.map(item => h('option', { value: item }, item))
    );
    this.node.append(h('label', { for: id }, label), this.select);
  }

  getValue(): string {
    return this.select.value;
  }

  protected override onAfterAttach(): void {
    // The dialog looks whether all is filled in when something is, and would not at first. It listens from now on.
    queueMicrotask(() => this.select.dispatchEvent(new Event('input', { bubbles: true })));
  }
}

/** Ask for one of `items`, for what is not undone: by default nothing is done; null where that is what is chosen. */
export async function chooseForGood(
  title: string,
  label: string,
  items: readonly string[],
  okLabel: string
): Promise<string | null> {
  const { button, value } = await showDialog({
    title,
    body: new Choice(label, items),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: okLabel })],
    defaultButton: 0,
    focusNodeSelector: 'select'
  });
  return button.accept && value !== null && value !== '' ? value : null;
}
