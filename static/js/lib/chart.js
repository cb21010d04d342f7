import uPlot from '/static/vendor/uplot/uPlot.esm.js';
import { number } from './i18n.js';

const HEIGHT = 150;

/** A colour of the style sheet, as it is in the light or dark that the page is in now. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const dark = matchMedia('(prefers-color-scheme: dark)');

/** Dashes tell the lines apart without their colours. */
const DASHES = { 'short-poll': [2, 3], 'long-poll': [8, 4], sse: [], websocket: [8, 3, 2, 3] };

/**
 * A line chart of the last minute.
 * @param {HTMLElement} place
 * @param {string[]} lines one slug per line
 * @param {{ points?: boolean, logarithmic?: boolean }} [kind]
 */
export function chart(place, lines, kind = {}) {
  let plot = null;
  let data = [[], ...lines.map(() => [])];
  const width = () => Math.max(200, place.clientWidth);
  const draw = () => {
    plot?.destroy();
    const axis = { stroke: colour('text'), grid: { stroke: colour('grid'), width: 1 }, ticks: { stroke: colour('grid'), width: 1 }, font: '13px sans-serif' };
    plot = new uPlot(
      {
        width: width(),
        height: HEIGHT,
        cursor: { show: false },
        legend: { show: false },
        scales: {
          x: { time: false, range: [-60, 0] },
          y: kind.logarithmic
            ? { distr: 3, range: (_, low, high) => [Math.min(1, 10 ** Math.floor(Math.log10(low || 1))), Math.max(1000, high || 1)] }
            : { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 1.1] },
        },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) },
          { ...axis, ...(kind.logarithmic ? decades(axis) : {}), size: 56, values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : short(tick))) },
        ],
        series: [
          {},
          ...lines.map((slug) => ({
            stroke: colour(slug),
            width: 2,
            dash: DASHES[slug],
            spanGaps: Boolean(kind.points),
            points: { show: Boolean(kind.points), size: 5, fill: colour(slug) },
          })),
        ],
      },
      data,
      place,
    );
  };
  draw();
  dark.addEventListener('change', draw);
  new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT })).observe(place);
  return {
    /** @param {(number | null)[][]} next the x values, then one row per line */
    set(next) {
      data = next;
      plot.setData(data);
    },
  };
}

/** Of a logarithmic axis only 1, 10, 100 and so on: the lines between them would be a wall. */
function decades(axis) {
  const only = (_, splits) => splits.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-9 ? value : null));
  return { filter: only, grid: { ...axis.grid, filter: only }, ticks: { ...axis.ticks, filter: only } };
}

function short(value) {
  if (value >= 1e6) return `${number(value / 1e6, value % 1e6 ? 1 : 0)} M`;
  if (value >= 1e4) return `${number(value / 1e3)} k`;
  return number(value, value % 1 ? 1 : 0);
}
