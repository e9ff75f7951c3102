import { DataTable } from './table';
import { Facts } from './facts';
import { Gauge } from './gauge';
import { h, setText } from './dom';
import { section } from './section';
import { t, tn } from './text';
import { bytes, clock, count, seconds, share, unknown } from './units';
import type { Context, View } from './view';
import type { Device, LibraryCounts, Snapshot } from './snapshot';

const PROCESS = '';

/** The whole kernel at a glance. */
export class Overview implements View {
  private readonly limit = new Gauge(t('Memory used of the limit'));
  private readonly budget = new Gauge(t('Models’ memory of the budget'));
  private readonly size = h('span', { class: 'tfm-figure' });
  private readonly memory = new Facts();
  private readonly policy = h('p');
  private readonly devices = new DataTable<Device>({
    caption: t('Devices'),
    columns: [
      { id: 'name', title: t('Device'), code: true, whole: true, text: device => device.name },
      {
        id: 'kind',
        title: t('Kind'),
        width: 3.5,
        text: device => device.description ?? device.kind
      },
      { id: 'used', title: t('Used'), numeric: true, text: device => reported(device.used_bytes) },
      { id: 'peak', title: t('Peak'), numeric: true, text: device => reported(device.peak_bytes) },
      { id: 'limit', title: t('Limit'), numeric: true, text: device => limit(device.memory_limit_bytes) }
    ],
    key: device => device.name,
    empty: t('TensorFlow lists its devices when the first model comes.')
  });
  private readonly runtime = new Facts();
  private readonly libraries = h('p');
  private readonly loader = new Facts();
  private readonly sampler = h('p');
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.element = h(
      'div',
      { class: 'tfm-overview' },
      section(
        t('Memory of the process'),
        h('p', {}, this.size, ' ', h('span', { class: 'tfm-quiet' }, t('resident'))),
        this.limit.element,
        this.budget.element,
        this.memory.element
      ),
      section(t('Memory policy'), this.policy),
      this.devices.element,
      section(t('Runtime and session'), this.runtime.element),
      section(t('Libraries'), this.libraries, this.loader.element),
      section(t('Cost of this panel'), this.sampler)
    );
  }

  update(): void {
    const { snapshot } = this.context.store;
    if (snapshot === null) return;
    this.drawMemory(snapshot);
    setText(this.policy, policy(snapshot));
    this.devices.set(snapshot.devices);
    this.runtime.set(runtime(snapshot));
    setText(this.libraries, libraries(snapshot.libraries));
    this.loader.set(loader(snapshot.libraries));
    setText(this.sampler, sampler(snapshot));
  }

  private drawMemory({ process, budget, models }: Snapshot): void {
    setText(this.size, bytes(process.rss_bytes));
    const used = process.limit_used_bytes ?? process.rss_bytes;
    const most = process.limit_bytes;
    this.limit.set(
      most === null ? null : used / most,
      most === null
        ? t('no container limit; {free} available on this machine', { free: bytes(process.available_bytes) })
        : t('{used} of the container’s {limit} used ({share})', {
            used: bytes(used),
            limit: bytes(most),
            share: share(used / most)
          })
    );
    const allowed = budget.limits[PROCESS] ?? null;
    const held = models.reduce((sum, model) => sum + model.held_bytes, 0);
    this.budget.set(
      allowed === null ? null : held / allowed,
      allowed === null
        ? t('no memory budget is set (%config TfMagic.memory_budget)')
        : t('models hold {used} of a budget of {limit} ({text})', {
            used: bytes(held),
            limit: bytes(allowed),
            text: budget.text
          })
    );
    this.memory.set([
      [t('Private'), bytes(process.private_bytes), t('What would come back if this process ended')],
      [
        t('Shared, its part'),
        bytes(process.shared_bytes),
        t('Of pages that n processes use an nth; resident memory has them whole')
      ],
      [t('Free inside malloc'), bytes(process.free_in_malloc_bytes), t('Given back with the next trim')],
      [t('Available'), bytes(process.available_bytes), t('What the machine or container could still give')],
      [t('Threads'), count(process.threads)],
      [
        t('Processor'),
        process.cpu_share === null ? unknown() : t('{share} of one core', { share: share(process.cpu_share) })
      ]
    ]);
  }
}

function limit(most: number | null): string {
  return most === null ? t('none known') : bytes(most);
}

function policy({ policy: { asked, in_force, why } }: Snapshot): string {
  const sentence =
    asked === in_force
      ? t('“{policy}” is in force.', { policy: in_force })
      : t('“{asked}” was asked for, “{policy}” is in force.', { asked, policy: in_force });
  return why === '' ? sentence : `${sentence} ${why}`;
}

function runtime({ versions, session, kernel, models, log }: Snapshot): [string, string][] {
  return [
    [t('tfmagic'), versions.tfmagic],
    [
      t('TensorFlow'),
      versions.tensorflow ?? (versions.importing ? t('being imported') : t('not imported yet'))
    ],
    [t('Keras'), versions.keras ?? t('not imported yet')],
    [t('Python'), versions.python],
    [
      t('Session'),
      session.open
        ? tn(
            'open, {n} native session behind it',
            'open, {n} native sessions behind it',
            session.native_sessions
          )
        : t('not open')
    ],
    [t('Models'), count(models.length)],
    [t('Kernel'), t('process {pid}', { pid: kernel.pid })],
    [t('Started'), kernel.started_s === null ? unknown() : clock(kernel.started_s)],
    [t('Log'), tn('{n} entry', '{n} entries', log.entries) + worst(log)]
  ];
}

function worst({ warnings, errors }: Snapshot['log']): string {
  const parts = [
    warnings > 0 ? tn('{n} warning', '{n} warnings', warnings) : null,
    errors > 0 ? tn('{n} error', '{n} errors', errors) : null
  ].filter(part => part !== null);
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}

function reported(count: number | null): string {
  return count === null ? t('not reported') : bytes(count);
}

function libraries(counts: LibraryCounts): string {
  return t(
    '{total} shared objects are loaded, {tensorflow} of them brought by TensorFlow; {since} came since tfmagic was loaded.',
    {
      total: count(counts.count),
      tensorflow: count(counts.of_tensorflow),
      since: count(counts.since_load)
    }
  );
}

function loader(counts: LibraryCounts): [string, string, string?][] {
  const hint = t('The loader’s own counter: while it stands still, nothing was loaded twice');
  return [
    [t('Loads ever'), count(counts.loads), hint],
    [t('Unloads ever'), count(counts.unloads), hint],
    [t('Loaded twice'), count(counts.duplicates)]
  ];
}

function sampler({ sampler: { interval_s, tick_s, share: cost } }: Snapshot): string {
  const rhythm = t('It looks every {interval} while this panel is seen, and sleeps otherwise.', {
    interval: interval_s === 1 ? t('second') : seconds(interval_s)
  });
  if (tick_s === null) return rhythm;
  const took = t('A look takes {tick}', { tick: seconds(tick_s) });
  return cost === null
    ? `${rhythm} ${took}.`
    : `${rhythm} ${took}, ${t('{share} of one core', { share: share(cost) })}.`;
}
