import { LiveStore } from '../core/live';
import { render as draw } from '../core/panel';

type Callback = (message?: unknown) => void;

/** What anywidget hands over of an ipywidgets model. */
export interface WidgetModel {
  get(name: string): unknown;
  on(event: string, callback: Callback): void;
  off(event: string, callback: Callback): void;
  send(message: unknown): void;
}

interface View {
  model: WidgetModel;
  el: HTMLElement;
  signal?: AbortSignal;
}

/** Show the panel in an output cell: the traits `snapshot` and `history`, and custom messages for requests. */
function render({ model, el, signal }: View): () => void {
  const store = new LiveStore(message => {
    model.send(message);
  });
  const lose = (): void => {
    store.lose();
  };
  const listeners: [string, Callback][] = [
    ['change:snapshot', () => store.takeSnapshot(model.get('snapshot'))],
    ['change:history', () => store.takeHistory(model.get('history'))],
    ['msg:custom', message => store.takeMessage(message)],
    // ipywidgets tells in three ways that the kernel's end has gone: restarted, closed, removed.
    ['comm_live_update', lose],
    ['comm:close', lose],
    ['destroy', lose]
  ];
  for (const [event, listener] of listeners) model.on(event, listener);
  store.takeHistory(model.get('history'));
  store.takeSnapshot(model.get('snapshot'));
  const drawn = draw(el, store);
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    drawn.dispose();
    for (const [event, listener] of listeners) model.off(event, listener);
  };
  signal?.addEventListener('abort', end);
  return end;
}

export default { render };
