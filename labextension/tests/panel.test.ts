import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import history from '../demo/history.json';
import librariesFile from '../demo/libraries.json';
import logFile from '../demo/log.json';
import placementFile from '../demo/placement.json';
import { button, modelOf, shown, snapshotOf, type Shown } from './made';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const TABS = ['Overview', 'Models', 'Memory', 'Placement', 'Libraries', 'Log'];
const HOSTILE = '<img src=x onerror="window.hacked = 1">';

const texts = (panel: ParentNode, selector: string): string[] =>
  [...panel.querySelectorAll(selector)].map(({ textContent }) => textContent);

const spoken = (host: HTMLElement): string => host.querySelector('.tfm-spoken[role=status]')!.textContent;

async function fill(page: Shown): Promise<void> {
  page.tab('Memory');
  await page.answer('history', { ok: true, result: history });
  page.tab('Placement');
  const { model } = page.asked('placement').at(-1)!;
  await page.answer('placement', { ok: true, result: { ...placementFile, model } });
  page.tab('Libraries');
  await page.answer('libraries', { ok: true, result: librariesFile });
  page.tab('Log');
  await page.answer('log', { ok: true, result: logFile });
}

describe('the tabs', () => {
  it('follow the keyboard: arrows around, Home and End, one of them in the order of Tab', () => {
    const { host } = shown();
    const tabs = [...host.querySelectorAll<HTMLElement>('[role=tab]')];
    const press = (key: string): string => {
      document.activeElement!.dispatchEvent(
        new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })
      );
      return document.activeElement!.textContent;
    };
    tabs[0]!.focus();
    expect(tabs.map(({ textContent }) => textContent)).toEqual(TABS);
    expect([
      press('ArrowRight'),
      press('End'),
      press('ArrowRight'),
      press('ArrowLeft'),
      press('Home')
    ]).toEqual(['Models', 'Log', 'Overview', 'Log', 'Overview']);
    expect(tabs.map(({ tabIndex }) => tabIndex)).toEqual([0, -1, -1, -1, -1, -1]);
    for (const tab of tabs) {
      const panel = host.querySelector(`#${tab.getAttribute('aria-controls')!}`)!;
      expect(panel.getAttribute('aria-labelledby')).toBe(tab.id);
      expect((panel as HTMLElement).hidden).toBe(tab.getAttribute('aria-selected') !== 'true');
    }
  });

  it('are made when first shown, and drawn only while shown', () => {
    const page = shown();
    expect(page.host.querySelector('.tfm-models')).toBeNull();
    const models = page.tab('Models');
    expect(texts(models, 'tbody th .tfm-code')).toContain('digits');
    page.tab('Overview');
    page.next({ models: [modelOf('another')] });
    expect(texts(models, 'tbody th .tfm-code')).toContain('digits');
    page.tab('Models');
    expect(texts(models, 'tbody th .tfm-code')).toEqual(['another']);
  });
});

describe('every tab', () => {
  it('draws what is not known as unknown', () => {
    const { process, devices } = snapshotOf();
    const page = shown({
      process: { ...process, private_bytes: null, shared_bytes: null, limit_bytes: null, cpu_share: null },
      devices: devices.map(device => ({ ...device, used_bytes: null, peak_bytes: null })),
      models: [modelOf('m', { weights_bytes: null, signature: null, devices: null, last_latency_s: null })]
    });
    const overview = page.tab('Overview').textContent;
    expect(overview).toMatch(/Privateunknown/);
    expect(overview).toContain('no container limit');
    const cells = texts(page.tab('Models'), 'tbody td');
    expect(cells).toContain('unknown');
    expect(cells).not.toContain('0 B');
  });

  it('calls the parts of the process’s memory as %tf_runtime memory does, for they are no sum', () => {
    const { process } = snapshotOf();
    const page = shown({
      process: { ...process, rss_bytes: 780e6, private_bytes: 351e6, shared_bytes: 203e6 }
    });
    const overview = page.tab('Overview').textContent;
    for (const words of ['780 MB resident', 'Private351 MB', 'Shared, its part203 MB'])
      expect(overview).toContain(words);
  });

  it('shows markup in names, errors, paths and entries as the text that it is', async () => {
    const model = modelOf(HOSTILE, { last_error: HOSTILE, source: HOSTILE, kind: HOSTILE });
    const page = shown({
      models: [model],
      policy: { ...snapshotOf().policy, asked: HOSTILE, in_force: HOSTILE, why: HOSTILE }
    });
    page.tab('Models');
    page.host.querySelector<HTMLElement>('.tfm-toggle')!.click();
    page.tab('Memory');
    await page.answer('history', {
      ok: true,
      result: {
        ...history,
        changes: [{ time_s: 1, model: HOSTILE, bytes: 7 }],
        events: [{ time_s: 1_799_999_990, kind: 'added', model: HOSTILE }]
      }
    });
    page.tab('Placement');
    const [operation] = placementFile.operations;
    await page.answer('placement', {
      ok: true,
      result: {
        ...placementFile,
        model: HOSTILE,
        note: HOSTILE,
        operations: [{ ...operation, name: HOSTILE }]
      }
    });
    page.tab('Libraries');
    const [library] = librariesFile.libraries;
    const [setting] = librariesFile.settings;
    await page.answer('libraries', {
      ok: true,
      result: {
        ...librariesFile,
        libraries: [{ ...library, name: HOSTILE, path: HOSTILE, occasion: HOSTILE }],
        settings: [{ ...setting, value: HOSTILE }],
        gpu: { ...librariesFile.gpu, answer: HOSTILE, searched: [HOSTILE] },
        duplicates: [{ name: HOSTILE, why: HOSTILE }]
      }
    });
    page.tab('Log');
    await page.answer('log', {
      ok: true,
      result: { ...logFile, entries: [{ ...logFile.entries[0], text: HOSTILE, model: HOSTILE }] }
    });
    expect(page.host.querySelectorAll('img, script, iframe, a, style')).toHaveLength(0);
    for (const element of page.host.querySelectorAll('*')) {
      for (const { name } of element.attributes) expect(name).not.toMatch(/^on/);
    }
    expect(page.host.textContent.split(HOSTILE).length).toBeGreaterThan(10);
  });

  it('stays the same elements over a hundred snapshots', async () => {
    const page = shown();
    await fill(page);
    for (const name of TABS) {
      const panel = page.tab(name);
      page.next();
      const observer = new MutationObserver(() => undefined);
      observer.observe(panel, { childList: true, subtree: true });
      for (let tick = 0; tick < 100; tick += 1) page.next();
      const changed = observer.takeRecords().filter(({ target }) => !(target as Element).closest('svg'));
      expect([name, changed.length]).toEqual([name, 0]);
      observer.disconnect();
    }
  });
});

describe('models', () => {
  it('by the thousand take no more elements than a page of them', () => {
    const models = Array.from({ length: 1000 }, (_, index) => modelOf(`model_${index}`));
    const few = shown({ models: models.slice(0, 50) });
    few.tab('Models');
    const most = few.host.querySelectorAll('*').length;
    const page = shown({ models });
    const panel = page.tab('Models');
    expect(texts(panel, 'tbody')).toHaveLength(50);
    expect(page.host.querySelectorAll('*').length).toBeLessThan(most + 10);
    page.tab('Overview');
    page.tab('Memory');
    expect(page.host.querySelectorAll('svg *').length).toBeLessThan(500);
  });

  it('with names of 10,000 characters are drawn with short hints and labels', () => {
    const page = shown({ models: [modelOf('x'.repeat(10_000))] });
    const panel = page.tab('Models');
    expect(panel.querySelector('.tfm-code')!.textContent).toHaveLength(10_000);
    for (const element of panel.querySelectorAll('[aria-label]')) {
      expect(element.getAttribute('aria-label')!.length).toBeLessThan(200);
    }
    expect(panel.querySelector('.tfm-code')!.getAttribute('title')!.length).toBeLessThanOrEqual(1000);
    expect(panel.querySelector('.tfm-code')!.getAttribute('dir')).toBe('auto');
  });

  it('are parked and woken by a button that shows the magic it stands for', async () => {
    const page = shown({ models: [modelOf('digits'), modelOf('asleep', { state: 'parked' })] });
    const panel = page.tab('Models');
    expect(button(panel, 'Park').title).toBe('%tf_model park digits');
    expect(button(panel, 'Wake').title).toBe('%tf_model wake asleep');
    button(panel, 'Park').click();
    expect(page.asked('park')).toMatchObject([{ request: 'park', model: 'digits' }]);
    button(panel, 'Park…').click();
    expect(page.asked('park')).toHaveLength(1);
    await page.answer('park', { ok: true, result: null, said: 'digits parked, 6.79 MB given back' });
    expect(texts(page.host, '.tfm-said')[0]).toMatch(/^\d\d:\d\d:\d\d: digits parked, 6\.79 MB given back$/);
    page.tab('Memory');
    expect(texts(page.host, '.tfm-said')).toEqual(['']);
    page.tab('Models');
    expect(button(panel, 'Park')).toBeDefined();
  });

  it('are dropped only after a second yes, which the keyboard can take back', async () => {
    const page = shown({ models: [modelOf('digits')] });
    const panel = page.tab('Models');
    button(panel, 'Drop').click();
    expect(document.activeElement).toBe(button(panel, 'Keep'));
    document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    expect(document.activeElement).toBe(button(panel, 'Drop'));
    expect(page.asked('drop')).toEqual([]);
    button(panel, 'Drop').click();
    page.next();
    expect(document.activeElement).toBe(button(panel, 'Keep'));
    button(panel, 'Drop it').click();
    expect(page.asked('drop')).toMatchObject([{ model: 'digits' }]);
    await page.answer('drop', { ok: false, error: 'digits is running' });
    expect(texts(page.host, '.tfm-said')[0]).toContain('digits is running');
    expect(page.host.querySelector('.tfm-said')!.getAttribute('data-kind')).toBe('error');
  });

  it('say that the kernel is busy when it does not answer soon, and in the end that it did not', async () => {
    const page = shown({ models: [modelOf('digits')] });
    const panel = page.tab('Models');
    button(panel, 'Trace').click();
    await vi.advanceTimersByTimeAsync(3100);
    expect(texts(page.host, '.tfm-said')[0]).toContain('has not answered yet');
    await vi.advanceTimersByTimeAsync(300_000);
    expect(texts(page.host, '.tfm-said')[0]).toContain('no answer from the kernel in 5 minutes');
  });

  it('lead from a trace to where their operations are, and no other model is asked about', async () => {
    const page = shown({ models: [modelOf('first'), modelOf('second')] });
    const panel = page.tab('Models');
    panel.querySelector<HTMLElement>('button[aria-label^="Trace"][aria-label*="second"]')!.click();
    await page.answer('trace', { ok: true, result: null, said: 'second was run once on zeros and traced' });
    button(page.host.querySelector('.tfm-said')!, 'Show where it ran').click();
    expect(document.activeElement!.textContent).toBe('Placement');
    const shownNow = page.host.querySelector<HTMLElement>('[role=tabpanel]:not([hidden])')!;
    expect(shownNow.querySelector('select')!.value).toBe('second');
    expect(page.asked('placement').map(({ model }) => model)).toEqual(['second']);
  });

  it('that cannot be parked say why', () => {
    const page = shown({ models: [modelOf('net', { can_park: false })] });
    const park = button(page.tab('Models'), 'Park');
    expect(park.getAttribute('aria-disabled')).toBe('true');
    expect(park.title).toContain('live object');
    park.click();
    expect(page.asked('park')).toEqual([]);
  });
});

describe('the kernel’s state', () => {
  it('is said in words, aloud only when it changes, with the age counting up', () => {
    const page = shown();
    expect(spoken(page.host)).toBe('');
    vi.advanceTimersByTime(4000);
    expect(page.host.textContent).toContain('no news');
    expect(page.host.textContent).toContain('4 seconds old');
    const said = spoken(page.host);
    expect(said).toContain('no news');
    vi.advanceTimersByTime(5000);
    expect(page.host.textContent).toContain('9 seconds old');
    expect(spoken(page.host)).toBe(said);
    page.next();
    expect(spoken(page.host)).toContain('live');
  });

  it('says of a cell how long it had been running by then, where nothing has come since', async () => {
    const { kernel } = snapshotOf();
    const page = shown({
      kernel: { ...kernel, cell_since_s: 1_800_000_000 },
      models: [modelOf('digits')]
    });
    page.next();
    expect(page.host.textContent).toContain('a cell has been running for 3 seconds');
    vi.advanceTimersByTime(6000);
    button(page.tab('Models'), 'Trace').click();
    await vi.advanceTimersByTimeAsync(3000);
    const then = 'a cell had been running for 3 seconds as of 9 seconds ago';
    expect(page.host.querySelector('.tfm-header')!.textContent).toContain(then);
    expect(texts(page.host, '.tfm-said')[0]).toContain(then);
    page.next();
    expect(page.host.textContent).toContain('a cell has been running for 4 seconds');
  });

  it('when gone says what to type, and no button asks anything any more', () => {
    const page = shown();
    const panel = page.tab('Models');
    page.store.lose();
    expect(page.host.textContent).toContain('%tf_panel');
    const before = page.sent.length;
    for (const name of ['Park', 'Trace']) {
      expect(button(panel, name).getAttribute('aria-disabled')).toBe('true');
      button(panel, name).click();
    }
    page.tab('Log');
    page.tab('Memory');
    vi.advanceTimersByTime(60_000);
    expect(page.sent).toHaveLength(before);
  });

  it('of another schema version is a sentence above what was drawn last', () => {
    const page = shown();
    page.store.takeSnapshot({ schema: 99 });
    expect(page.host.querySelector('.tfm-notice')!.textContent).toContain('version 99');
  });
});

describe('what is asked for', () => {
  it('is asked for again when the snapshot says that it has changed, and not before', async () => {
    const page = shown();
    await fill(page);
    page.tab('Libraries');
    await page.answer('libraries', { ok: true, result: librariesFile });
    const before = page.asked('libraries').length;
    page.next();
    expect(page.asked('libraries')).toHaveLength(before);
    const { libraries } = snapshotOf();
    page.next({ libraries: { ...libraries, loads: 164 } });
    expect(page.asked('libraries')).toHaveLength(before + 1);
  });

  it('says why when the kernel refuses', async () => {
    const page = shown();
    const panel = page.tab('Placement');
    await page.answer('placement', { ok: false, error: 'no run yet' });
    expect(panel.textContent).toContain('no run yet');
  });

  it('of a model that was since chosen away is not shown as another’s', async () => {
    const page = shown({ models: [modelOf('a'), modelOf('b')] });
    const panel = page.tab('Placement');
    const first = page.asked('placement').at(-1)!;
    const picker = panel.querySelector('select')!;
    picker.value = 'b';
    picker.dispatchEvent(new Event('change'));
    page.store.takeMessage({ schema: 1, id: first.id, ok: true, result: { ...placementFile, model: 'a' } });
    await vi.advanceTimersByTimeAsync(1);
    expect(panel.querySelector('table')!.closest('[hidden]')).not.toBeNull();
    await page.answer('placement', { ok: true, result: { ...placementFile, model: 'b' } });
    expect(panel.querySelector('table')!.closest('[hidden]')).toBeNull();
    expect(panel.textContent).toContain('41 of those listed run elsewhere');
  });

  it('shows the newest log entries first, severity in words, long ones to be opened', async () => {
    const page = shown();
    const panel = page.tab('Log');
    await page.answer('log', { ok: true, result: logFile });
    expect(texts(panel, 'tbody td:nth-child(2)')).toEqual(['error', 'warning', 'warning', 'info']);
    const details = [...panel.querySelectorAll('details')].map(({ hidden }) => hidden);
    expect(details).toEqual([false, true, true, true]);
  });
});

describe('the panel', () => {
  it('tells the kernel that it is looked at, and when it is taken away that it is not', () => {
    const page = shown();
    expect(page.asked('watch')).toMatchObject([{ looking: true }]);
    page.dispose();
    expect(page.asked('watch').map(({ looking }) => looking)).toEqual([true, false]);
    expect(page.host.childElementCount).toBe(0);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(2);
  });

  it('tells the kernel when the page is hidden and when it is seen again', () => {
    const page = shown();
    const state = vi.spyOn(document, 'visibilityState', 'get');
    for (const now of ['hidden', 'visible'] as const) {
      state.mockReturnValue(now);
      document.dispatchEvent(new Event('visibilitychange'));
    }
    expect(page.asked('watch').map(({ looking }) => looking)).toEqual([true, false, true]);
    state.mockRestore();
    page.dispose();
  });
});
