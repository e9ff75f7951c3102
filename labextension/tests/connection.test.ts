import { KernelMessage, type Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { snapshot } from '../demo/kernel';
import { Connection } from '../src/lab/connection';

interface Future {
  content: Record<string, unknown>;
  onReply: (message: unknown) => void;
  onIOPub: (message: unknown) => void;
  done: Promise<void>;
  dispose: () => void;
}

/** A kernel's end in the page: what is sent to it is kept, and it says what the test has it say. */
class Wire {
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

  push(content: unknown, kind = 'tfmagic_push'): void {
    this.iopubMessage.emit({ header: { msg_type: kind }, parent_header: {}, content });
  }

  become(status: Kernel.Status): void {
    this.status = status;
    this.statusChanged.emit(status);
  }
}

let wire: Wire;

async function connected(language = 'python'): Promise<Connection> {
  wire = new Wire(language);
  const connection = new Connection(wire as unknown as Kernel.IKernelConnection);
  await vi.advanceTimersByTimeAsync(0);
  return connection;
}

async function attached(): Promise<Connection> {
  const connection = await connected();
  wire.answer('watch');
  wire.answer('snapshot', snapshot);
  await vi.advanceTimersByTimeAsync(0);
  return connection;
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('is there once the kernel has answered, with its snapshot', async () => {
  const connection = await attached();
  expect(connection.presence).toBe('there');
  expect(connection.store.snapshot?.kernel.pid).toBe(snapshot.kernel.pid);
});

it('is absent where the kernel has dealt with the question and not answered it, and asks no more', async () => {
  const connection = await connected();
  wire.idle();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(connection.presence).toBe('absent');
  expect(wire.sent).toHaveLength(1);
  wire.push({ kind: 'loaded' });
  wire.answer('watch');
  expect(connection.presence).toBe('there');
});

it('takes an answer that comes late', async () => {
  const connection = await connected();
  wire.idle();
  await vi.advanceTimersByTimeAsync(5000);
  wire.answer('watch');
  expect(connection.presence).toBe('there');
});

it('asks a silent kernel ever more rarely', async () => {
  const connection = await connected();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(connection.presence).toBe('asking');
  expect(wire.sent.length).toBeGreaterThan(10);
  expect(wire.sent.length).toBeLessThan(30);
});

it('asks nothing of a kernel of another language', async () => {
  const connection = await connected('R');
  wire.connectionStatusChanged.emit('connected');
  wire.push({ kind: 'loaded' });
  expect([connection.presence, wire.sent.length]).toEqual(['foreign', 0]);
});

it('knows nothing any more of what was before a restart', async () => {
  const connection = await attached();
  const before = connection.store;
  wire.become('restarting');
  expect(connection.presence).toBe('restarting');
  expect(before.status).toBe('gone');
  expect(connection.store.snapshot).toBeNull();
  wire.become('idle');
  expect(connection.presence).toBe('asking');
  wire.idle();
  await vi.advanceTimersByTimeAsync(5000);
  expect(connection.presence).toBe('absent');
});

it('has lost the kernel while the server is out of reach, and asks again when it is back', async () => {
  const connection = await attached();
  wire.connectionStatus = 'connecting';
  wire.connectionStatusChanged.emit('connecting');
  expect(connection.presence).toBe('lost');
  expect(connection.store.snapshot).not.toBeNull();
  const before = wire.sent.length;
  wire.connectionStatus = 'connected';
  wire.connectionStatusChanged.emit('connected');
  expect(wire.sent.length).toBe(before + 1);
  expect(connection.presence).toBe('there');
});

it('is moved by no message that is malformed or is not its own', async () => {
  const connection = await attached();
  const held = connection.store.snapshot;
  const strange = [
    null,
    7,
    'loaded',
    [],
    {},
    { kind: 'unloaded ' },
    { kind: ['unloaded'] },
    { kind: 'snapshot' }
  ];
  for (const content of [...strange, { kind: 'snapshot', names: 3, snapshot: { seq: 'x' } }])
    wire.push(content);
  wire.push({ kind: 'unloaded' }, 'comm_msg');
  for (const future of wire.sent) for (const content of strange) future.onReply({ content });
  expect(connection.presence).toBe('there');
  expect(connection.store.snapshot).toBe(held);
});

it('has the sidebar shown when the kernel asks for it, and says so to the cell that waits', async () => {
  const reveal = vi.fn();
  wire = new Wire('python');
  new Connection(wire as unknown as Kernel.IKernelConnection, reveal);
  await vi.advanceTimersByTimeAsync(0);
  wire.push({ kind: 'reveal' });
  expect(reveal).toHaveBeenCalledTimes(1);
  expect(wire.sent.at(-1)?.content.request).toBe('revealed');
});

it('wishes after a restart what it wished before', async () => {
  const connection = await attached();
  connection.wish(7);
  wire.become('restarting');
  wire.become('idle');
  wire.answer('watch');
  connection.store.look({}, true);
  expect(wire.sent.at(-1)?.content).toMatchObject({ request: 'watch', looking: true, interval_s: 7 });
});

it('is known as soon as the kernel has said anything, and otherwise after some seconds', async () => {
  const heard = vi.fn();
  let connection = await connected();
  void connection.known().then(heard);
  await vi.advanceTimersByTimeAsync(100);
  expect(heard).not.toHaveBeenCalled();
  wire.answer('watch');
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toHaveBeenCalledTimes(1);
  connection = await connected();
  void connection.known().then(heard);
  await vi.advanceTimersByTimeAsync(5000);
  expect(heard).toHaveBeenCalledTimes(2);
});
