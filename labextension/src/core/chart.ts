import { freshId, h, setAttribute, setText, show, svg } from './dom';
import { ink } from './ink';
import { marks } from './marks';
import { patterns, sample } from './patterns';
import { Ruler } from './ruler';
import { scale, sizeTicks, timeTicks, type Scale } from './scale';
import { t, tn } from './text';
import { bytes, clock } from './units';
import type { Plot } from './series';

const HEIGHT = 240;
const LEFT = 58;
const RIGHT = 10;
const BOTTOM = 22;
const USUAL_WIDTH = 640;
/** Limits far above what is used would press everything else flat. */
const MOST_HEADROOM = 2.5;

/** Memory over time as SVG. Its colours are the theme's own variables: a new theme needs no new drawing. */
export class Chart {
  private readonly ruler = new Ruler();
  private readonly picture = svg(
    'svg',
    { class: 'tfm-chart', role: 'img', height: HEIGHT },
    this.ruler.element
  );
  private readonly unsaid = h('p', { class: 'tfm-quiet', hidden: true });
  readonly element = h('div', { class: 'tfm-chart-room' }, this.picture as unknown as Node, this.unsaid);
  private readonly prefix = freshId('chart');
  private readonly cursor = svg('line', { class: 'tfm-cursor' });
  private x: Scale = value => value;
  private shown: Plot | null = null;

  /** Call back with the time that the pointer is over, and with null when it has left. */
  constructor(pointed: (time: number | null) => void) {
    this.picture.addEventListener('pointermove', event => {
      const { shown } = this;
      if (shown === null) return;
      const at = event.clientX - this.picture.getBoundingClientRect().left;
      const back = scale(this.x(shown.from), this.x(shown.to), shown.from, shown.to);
      pointed(Math.min(shown.to, Math.max(shown.from, back(at))));
    });
    this.picture.addEventListener('pointerleave', () => {
      pointed(null);
    });
  }

  sampleOf(id: string): SVGElement {
    return sample(id, this.prefix);
  }

  draw(plot: Plot): void {
    this.shown = plot;
    const width = this.element.clientWidth || USUAL_WIDTH;
    const lanes = marks(
      plot.events,
      width - LEFT - RIGHT,
      scale(plot.from, plot.to, 0, width - LEFT - RIGHT),
      this.ruler.widthOf
    );
    const top = 8 + lanes.height;
    const highest = ceiling(plot);
    const ticks = sizeTicks(highest, 5);
    const y = scale(0, ticks.at(-1) ?? highest, HEIGHT - BOTTOM, top);
    this.x = scale(plot.from, plot.to, LEFT, width - RIGHT);
    const grid = svg('g', { class: 'tfm-grid' });
    for (const tick of ticks) {
      grid.append(svg('line', { x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }));
      grid.append(
        svg('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, tick === 0 ? '0' : bytes(tick))
      );
    }
    const times = timeTicks(plot.from, plot.to, Math.max(1, Math.floor((width - LEFT) / 90)));
    // Where there is room for one, none may be round.
    for (const tick of times.length > 0 ? times : [plot.to]) {
      const at = Math.min(Math.max(this.x(tick), LEFT + 24), width - RIGHT - 24);
      grid.append(svg('text', { x: at, y: HEIGHT - 6, 'text-anchor': 'middle' }, clock(tick)));
    }
    setAttribute(this.picture, 'width', width);
    setAttribute(this.picture, 'viewBox', `0 0 ${width} ${HEIGHT}`);
    setAttribute(this.picture, 'aria-label', said(plot));
    setAttribute(this.cursor, 'y1', top);
    setAttribute(this.cursor, 'y2', HEIGHT - BOTTOM);
    const drawing = ink(plot, this.prefix, this.x, y, ticks.at(-1) ?? highest);
    const flags = lanes.draw(LEFT, HEIGHT - BOTTOM);
    setText(
      this.unsaid,
      tn(
        '{n} event has no room for its words here; the table of events below has it.',
        '{n} events have no room for their words here; the table of events below has them.',
        lanes.unsaid
      )
    );
    show(this.unsaid, lanes.unsaid > 0);
    this.picture.replaceChildren(
      patterns(this.prefix),
      grid,
      drawing,
      flags,
      this.cursor,
      this.ruler.element
    );
  }

  /** Stand the cursor at a time. */
  point(time: number): void {
    setAttribute(this.cursor, 'x1', this.x(time));
    setAttribute(this.cursor, 'x2', this.x(time));
  }
}

function ceiling(plot: Plot): number {
  const most = (values: number[]): number => values.reduce((high, value) => Math.max(high, value), 0);
  const used = most(plot.lines.filter(line => line.pen !== 'limit').map(line => most(line.values)));
  const limits = plot.lines.filter(line => line.pen === 'limit').map(line => line.values[0] ?? 0);
  const near = limits.filter(limit => limit <= used * MOST_HEADROOM);
  return Math.max(used, most(near), 1) * 1.04;
}

function said(plot: Plot): string {
  const process = plot.lines[0]?.values ?? [];
  return t(
    'Memory of the process from {from} to {to}: first {first}, last {last}. The figures are in the table below.',
    {
      from: clock(plot.from),
      to: clock(plot.to),
      first: bytes(process[0] ?? null),
      last: bytes(process.at(-1) ?? null)
    }
  );
}
