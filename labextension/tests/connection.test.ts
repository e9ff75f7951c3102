import type { Kernel } from '@jupyterlab/services';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { snapshot } from '../demo/kernel';
import { Connection } from '../src/lab/connection';
import { dice, spoilt } from './spoil';
import { Wire } from './wire';

let wire: Wire;

async function connected(language = 'python'): Promise<Connection> {
  wire = new Wire(language);
  const connection = new Connection(wire as unknown as Kernel.IKernelConnection);
  await vi.advanceTimersByTimeAsync(0);
  return connection;
}

async function attached(): Promise<Connection> {
  const connection = await connected();
  wire.tell(true);
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
  wire.tell(true);
  expect(connection.presence).toBe('there');
});

it('is absent at once where the kernel has nothing of it, and was sent nothing that it may not know', async () => {
  const connection = await connected();
  wire.tell(false);
  expect(connection.presence).toBe('absent');
  expect(wire.sent.map(({ content }) => content)).toEqual([{ target_name: 'tfmagic' }]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(wire.sent).toHaveLength(1);
});

it('takes an answer that comes late', async () => {
  const connection = await connected();
  wire.idle();
  await vi.advanceTimersByTimeAsync(5000);
  wire.tell(true);
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

it('asks nothing before it knows the language, also where the kernel is connected before that', async () => {
  wire = new Wire('R');
  const connection = new Connection(wire as unknown as Kernel.IKernelConnection);
  wire.connectionStatusChanged.emit('connected');
  await vi.advanceTimersByTimeAsync(600_000);
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

it('hears no more of the process before a restart', async () => {
  const connection = await attached();
  const push = { kind: 'snapshot', names: snapshot.models.map(({ name }) => name), snapshot };
  wire.push(push);
  wire.become('restarting');
  wire.push(push);
  wire.become('idle');
  wire.push({ kind: 'loaded' });
  wire.push(push);
  expect(connection.presence).toBe('asking');
  expect(connection.store.snapshot).toBeNull();
  wire.push({ kind: 'loaded' }, 'tfmagic_push', 'of the second process');
  expect(connection.presence).toBe('there');
});

it('asks nothing more of what is no longer there', async () => {
  for (const end of [() => wire.push({ kind: 'unloaded' }), () => wire.become('restarting')]) {
    const connection = await attached();
    const viewer = {};
    const look = (): void => connection.store.look(viewer, connection.presence === 'there');
    connection.store.subscribe(look);
    look();
    const before = wire.sent.length;
    end();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(wire.sent).toHaveLength(before);
  }
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

it('sends nothing to a kernel that is out of reach or dead, however long somebody looks at it', async () => {
  const connection = await attached();
  connection.store.look({}, true);
  wire.connectionStatus = 'connecting';
  wire.connectionStatusChanged.emit('connecting');
  const before = wire.sent.length;
  await vi.advanceTimersByTimeAsync(3_600_000);
  await expect(connection.store.request('park', { model: 'digits' })).rejects.toThrow('cannot be reached');
  expect(wire.sent.length).toBe(before);
  wire.connectionStatus = 'connected';
  wire.connectionStatusChanged.emit('connected');
  wire.tell(true);
  expect(wire.sent.slice(before).map(({ content }) => content.request)).toEqual([
    undefined,
    'history',
    'snapshot',
    'watch'
  ]);
  wire.become('dead');
  const after = wire.sent.length;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(wire.sent.length).toBe(after);
});

it('fails what was asked of a kernel that dies meanwhile, and does not wait for its patience', async () => {
  const connection = await attached();
  const asked = connection.store.request('park', { model: 'digits' });
  const failed = expect(asked).rejects.toThrow('has ended');
  wire.become('autorestarting');
  await failed;
});

it('asks nothing any more once the kernel connection is disposed', async () => {
  const connection = await connected();
  wire.disposed.emit(undefined);
  const before = wire.sent.length;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(wire.sent.length).toBe(before);
  expect(connection.store.status).toBe('gone');
});

it('stands through 10,000 malformed pushes and answers, and asks no more for them', async () => {
  const connection = await attached();
  const roll = dice(11);
  connection.store.look({}, true);
  const before = wire.sent.length;
  const push = { kind: 'snapshot', names: snapshot.models.map(({ name }) => name), snapshot };
  for (let turn = 0; turn < 10_000; turn += 1) {
    const future = wire.sent[turn % wire.sent.length]!;
    const answer = { id: future.content.id, ok: true, result: snapshot, said: null, error: null };
    if (turn % 2 === 0) wire.push(spoilt({ ...push, snapshot: { ...snapshot, seq: turn } }, roll));
    else future.onReply({ content: spoilt(answer, roll) });
  }
  expect(connection.presence).toBe('there');
  expect(wire.sent.length - before).toBeLessThan(10);
  wire.push({ ...push, snapshot: { ...snapshot, seq: 1e301 } });
  expect(connection.store.snapshot?.seq).toBe(1e301);
  expect(connection.store.problem).toBeNull();
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
  wire.tell(true);
  connection.store.look({}, true);
  expect(wire.sent.at(-1)?.content).toMatchObject({ request: 'watch', looking: true, interval_s: 7 });
});

it('is known as soon as the kernel has said anything, and otherwise after some seconds', async () => {
  const heard = vi.fn();
  let connection = await connected();
  void connection.known().then(heard);
  await vi.advanceTimersByTimeAsync(100);
  expect(heard).not.toHaveBeenCalled();
  wire.tell(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toHaveBeenCalledTimes(1);
  connection = await connected();
  void connection.known().then(heard);
  await vi.advanceTimersByTimeAsync(5000);
  expect(heard).toHaveBeenCalledTimes(2);
});
