import { find, channel } from './lib/dom.js';
import { t, number } from './lib/i18n.js';
import { offset, synchronise } from './lib/clock.js';
import { ages } from './lib/meter.js';
import { chart } from './lib/chart.js';
import { bind } from './controls.js';
import { Panel } from './panel.js';

/** How often figures and charts are drawn anew; seldom for those who asked for less motion. */
const SHOW_MS = matchMedia('(prefers-reduced-motion: reduce)').matches ? 2_000 : 250;

/** What is charted, and how. */
const CHARTS = { delay: { points: true, logarithmic: true }, events: {}, requests: {}, bytes: {} };

/**
 * The panels of this page, each with the module that its transport names, and everything around them.
 *
 * The page may be left open all day, so whatever grows has a bound, and nothing is made per event but what is
 * shown. `/compare` at 100 events/s stays under 32 MiB of JavaScript heap and 8,000 nodes, adds no listeners,
 * and is drawn at 30 frames/s or more; `cargo bench --bench page` holds it to that.
 */
export async function board() {
  const sections = [...document.querySelectorAll('section[data-transport]')];
  const panels = await Promise.all(
    sections.map(async (section) => {
      const { Reader } = await import(`./transports/${section.dataset.transport}.js`);
      return new Panel(section, Reader);
    }),
  );
  const slugs = panels.map((panel) => panel.slug);
  // An exercise's page has panels and no charts.
  const charts = Object.entries(CHARTS).flatMap(([what, kind]) => {
    const place = document.querySelector(`[data-chart="${what}"]`);
    return place ? [{ what, place, chart: chart(place, slugs, kind) }] : [];
  });
  const show = () => {
    for (const panel of panels) panel.show();
    // A hidden tab needs no pictures.
    if (!document.hidden) for (const { what, chart } of charts) chart.set([ages, ...panels.map(({ meter }) => meter.series(what))]);
  };
  setInterval(show, SHOW_MS);
  bind(panels);
  synchronise(() => {
    find('[data-field="clock"]').textContent = t('clock.told', { offset: number(offset.ms, 1), uncertainty: number(offset.uncertainty, 1) });
  });
  // All begin at the same place, so that they get the same events.
  const { cursor, source } = await (await fetch(channel)).json();
  for (const panel of panels) {
    panel.expecting = source !== null && source.rate >= 1 && source.pattern !== 'poisson';
    panel.start(cursor);
  }
  // A page that is left must not hold connections: the browser may keep it for the way back.
  addEventListener('pagehide', () => panels.forEach((panel) => panel.stop()));
  addEventListener('pageshow', ({ persisted }) => persisted && panels.forEach((panel) => panel.start()));
  show();
  document.body.dataset.ready = 'true';
  return panels;
}
