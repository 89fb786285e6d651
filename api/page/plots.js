// Plots by hand: each is a picture with a sentence, above the table of the same numbers.

import { h, svg } from "./dom.js";
import { day, hours, number, percent, t } from "./words.js";

const narrow = matchMedia("(max-width: 46rem)");
const wide = () => (narrow.matches ? 340 : 1080);
const PAD = { left: 44, right: 12, top: 12, bottom: 30 };

// A figure: heading, sentence, picture, and its table to open.
export function figure(heading, sentence, picture, asTable) {
  return h(
    "figure",
    { class: "plot card" },
    h("figcaption", null, h("h2", null, heading), h("p", null, sentence)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heading }, picture),
    h("details", null, h("summary", null, t("activity.table")), asTable),
  );
}

function picture(height, label, ...children) {
  return svg("svg", { viewBox: `0 0 ${wide()} ${height}`, class: "chart", role: "img", "aria-label": label }, ...children);
}

function steps(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = Math.max([1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? 1, most > 4 ? 1 : power);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step);
}

function rows(ticks, y, text) {
  return ticks.map((tick) => [
    svg("line", { x1: PAD.left, x2: wide() - PAD.right, y1: y(tick), y2: y(tick), class: "grid" }),
    svg("text", { x: PAD.left - 6, y: y(tick) + 4, "text-anchor": "end" }, text(tick)),
  ]);
}

function dates(all, x) {
  const every = Math.max(1, Math.ceil(all.length / (narrow.matches ? 3 : 6)));
  return all.map((one, at) => {
    if (at % every) return null;
    const anchor = at === 0 ? "start" : "middle";
    return svg("text", { x: x(at), y: 232, "text-anchor": anchor }, day(one, "short"));
  });
}

export function everyDay(since, until) {
  const all = [];
  for (let at = new Date(since); at <= new Date(until); at.setUTCDate(at.getUTCDate() + 1)) all.push(at.toISOString().slice(0, 10));
  return all;
}

// Stacked bars: {day, family, events}; the colours are those of `family-…` in the style sheet.
export function stackedDays(counts, families, all, label) {
  const sums = new Map();
  for (const one of counts) sums.set(one.day, (sums.get(one.day) ?? 0) + one.events);
  const ticks = steps(Math.max(1, ...sums.values()));
  const top = ticks[ticks.length - 1];
  const y = (value) => 210 - ((210 - PAD.top) * value) / top;
  const room = (wide() - PAD.left - PAD.right) / all.length;
  const x = (at) => PAD.left + at * room;
  const base = new Map();
  const bars = families.flatMap((family) =>
    counts
      .filter((one) => one.family === family)
      .map((one) => {
        const low = base.get(one.day) ?? 0;
        base.set(one.day, low + one.events);
        const height = y(low) - y(low + one.events);
        return svg("rect", { x: x(all.indexOf(one.day)) + room * 0.1, y: y(low + one.events), width: Math.max(1.5, room * 0.8), height, class: `bar family-${family}` }, svg("title", null, `${day(one.day)}, ${t(`family.${family}`)}: ${number(one.events)}`));
      }),
  );
  return picture(240, label, rows(ticks, y, (tick) => number(tick)), bars, dates(all, (at) => x(at) + (at ? room / 2 : 0)));
}

export function legend(names) {
  return h("ul", { class: "legend" }, names.map(([kind, text]) => h("li", null, svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, svg("rect", { width: 14, height: 14, rx: 3, class: `bar ${kind}` })), text)));
}

const MARKS = { true: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0z", false: "M-5-5 5 5M5-5-5 5", null: "M0-6 6 0 0 6-6 0z" };

export function mark(passed, attributes) {
  return svg("path", { d: MARKS[passed], class: `mark verdict-${passed}`, ...attributes });
}

// Verdicts over time: a mark for each, by its score; what has no score lies on the ground.
export function verdicts(found, all, label) {
  const y = (value) => 205 - (190 * value);
  const first = Date.parse(all[0]);
  const whole = Math.max(1, all.length) * 86_400_000;
  const x = (at) => PAD.left + 8 + ((wide() - PAD.left - PAD.right - 16) * (Date.parse(at) - first)) / whole;
  const room = (wide() - PAD.left - PAD.right) / all.length;
  const marks = found.map((one) =>
    svg("g", { transform: `translate(${x(one.at)} ${y(one.score ?? 0)})` }, mark(one.passed), svg("title", null, `${one.title}: ${t(`verdict.${one.passed}`)}, ${percent(one.score)}`)),
  );
  return picture(240, label, rows([0, 0.5, 1], y, percent), marks, dates(all, (at) => PAD.left + at * room + (at ? room / 2 : 0)));
}

// Pairs of bars, one task below the other: estimate (with its range) and actual hours.
export function pairs(tasks, label) {
  const left = narrow.matches ? 116 : 210;
  const most = narrow.matches ? 16 : 30;
  const high = (task) => Math.max(task.estimated_hours, task.actual_hours, task.metadata.estimate?.high ?? 0);
  const ticks = steps(Math.max(1, ...tasks.map(high)));
  const x = (value) => left + ((wide() - left - 30) * value) / ticks[ticks.length - 1];
  const height = tasks.length * 40 + 34;
  const short = (title) => (title.length > most ? `${title.slice(0, most - 1)}…` : title);
  return picture(
    height,
    label,
    ticks.map((tick) => [svg("line", { x1: x(tick), x2: x(tick), y1: 4, y2: height - 26, class: "grid" }), svg("text", { x: x(tick), y: height - 8, "text-anchor": "middle" }, hours(tick))]),
    tasks.map((task, at) => {
      const y = at * 40 + 8;
      const range = task.metadata.estimate;
      return svg(
        "g",
        null,
        svg("text", { x: left - 8, y: y + 17, "text-anchor": "end" }, short(task.title)),
        svg("rect", { x: left, y, width: Math.max(1, x(task.estimated_hours) - left), height: 11, class: "bar estimated" }),
        svg("rect", { x: left, y: y + 13, width: Math.max(1, x(task.actual_hours) - left), height: 11, class: "bar actual" }),
        range?.high ? svg("path", { d: `M${x(range.low)} ${y + 5.5}H${x(range.high)}M${x(range.low)} ${y + 2}v7M${x(range.high)} ${y + 2}v7`, class: "range" }) : null,
        svg("title", null, `${task.title}: ${hours(task.estimated_hours)}, ${hours(task.actual_hours)}`),
      );
    }),
  );
}
