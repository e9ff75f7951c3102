import { KernelMessage, type Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

interface Future {
  content: Record<string, unknown>;
  onReply: (message: unknown) => void;
  onIOPub: (message: unknown) => void;
  done: Promise<void>;
  dispose: () => void;
}

/** A kernel's end in the page: what is sent to it is kept, and it says what the test has it say. */
export class Wire {
  status: Kernel.Status = 'idle';
  connectionStatus: Kernel.ConnectionStatus = 'connected';
  readonly clientId = 'page';
  readonly username = '';
  readonly sent: Future[] = [];
  readonly iopubMessage = new Signal<this, unknown>(this);
  readonly statusChanged = new Signal<this, Kernel.Status>(this);
  readonly connectionStatusChanged = new Signal<this, Kernel.ConnectionStatus>(this);
  readonly disposed = new Signal<this, undefined>(this);

  constructor(private readonly language: string) {}

  get spec(): Promise<{ language: string }> {
    return Promise.resolve({ language: this.language });
  }

  sendControlMessage(message: { content: Record<string, unknown> }): Future {
    const nothing = (): void => undefined;
    const future = { content: message.content, onReply: nothing, onIOPub: nothing, dispose: nothing };
    this.sent.push({ ...future, done: new Promise(nothing) });
    return this.sent.at(-1)!;
  }

  /** Answer the last request of a kind. */
  answer(request: string, result: unknown = null): void {
    const asked = this.sent.filter(({ content }) => content.request === request).at(-1)!;
    asked.onReply({ content: { id: asked.content.id, ok: true, result, said: null, error: null } });
  }

  /** Answer the last question for open comms: with tfmagic's sign among them, or with none. */
  tell(isThere: boolean): void {
    const comms = isThere ? { some: { target_name: 'tfmagic' } } : {};
    this.sent
      .filter(({ content }) => content.target_name === 'tfmagic')
      .at(-1)!
      .onReply({ content: { status: 'ok', comms } });
  }

  /** Say that the last request was dealt with, as a kernel does also of one that it does not know. */
  idle(): void {
    this.sent.at(-1)!.onIOPub(
      KernelMessage.createMessage({
        channel: 'iopub',
        msgType: 'status',
        session: 'kernel',
        content: { execution_state: 'idle' }
      })
    );
  }

  push(content: unknown, kind = 'tfmagic_push', session = 'of the first process'): void {
    this.iopubMessage.emit({ header: { msg_type: kind, session }, parent_header: {}, content });
  }

  become(status: Kernel.Status): void {
    this.status = status;
    this.statusChanged.emit(status);
  }
}
