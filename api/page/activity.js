// What was done over time, out of the lake; and estimates beside what tasks took.

import { call, list } from "./api.js";
import { fillWith, freshId, h, table } from "./dom.js";
import { everyDay, figure, legend, pairs, stackedDays, verdicts } from "./plots.js";
import { verdict } from "./task.js";
import { day, hours, moment, number, percent, plain, t } from "./words.js";

const FAMILIES = ["goal", "task", "code", "ai", "course", "user", "system"];
const SPANS = [7, 30, 90, 365];
const PAIRS = 12;

export async function showActivity({ root, ids, signal, title }) {
  title(t("activity.title"));
  const days = SPANS.includes(Number(ids[0])) ? Number(ids[0]) : 30;
  const [found, done] = await Promise.all([
    call(`/v1/activity?days=${days}`, { signal }).catch((error) => {
      if (signal.aborted || error.status === 401) throw error;
      return error;
    }),
    list("/v1/tasks?status=completed", { signal, most: 500 }),
  ]);
  const span = freshId("span");
  const choose = h("select", { id: span, onchange: (event) => (location.hash = `#/activity/${event.target.value}`) }, SPANS.map((one) => h("option", { value: one, selected: one === days }, t("activity.last", { n: one }))));
  fillWith(
    root,
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, t("activity.title")), h("div", { class: "field row" }, h("label", { for: span }, t("activity.days")), choose)),
    h("p", { class: "hint" }, t("activity.lead", { n: days })),
    found instanceof Error ? away(found) : [byDay(found), judged(found)],
    estimates(done),
  );
}

function away(error) {
  const told = error.code === "LAKE_UNAVAILABLE" ? t("activity.away") : plain(error);
  return h("p", { class: "problem", role: "alert" }, told);
}

function byDay(found) {
  if (!found.days.length) return h("div", { class: "empty" }, h("p", null, t("activity.none")));
  const all = everyDay(found.since, found.until);
  const families = FAMILIES.filter((family) => found.days.some((one) => one.family === family));
  const sum = found.days.reduce((total, one) => total + one.events, 0);
  const sentence = t("activity.events.sum", { n: number(sum), days: number(new Set(found.days.map((one) => one.day)).size) });
  return figure(
    t("activity.events"),
    sentence,
    [stackedDays(found.days, families, all, `${t("activity.events")}: ${sentence}`), legend(families.map((family) => [`family-${family}`, t(`family.${family}`)]))],
    table(`${t("activity.events")} · ${t("activity.table")}`, ["activity.day", "activity.family", "activity.count"].map((key) => t(key)), [...found.days].reverse().map((one) => [day(one.day), t(`family.${one.family}`), number(one.events)]), { hidden: true }),
  );
}

function judged(found) {
  if (!found.verdicts.length) return h("figure", { class: "plot card" }, h("figcaption", null, h("h2", null, t("activity.verdicts")), h("p", { class: "hint" }, t("activity.verdicts.none"))));
  const sentence = t("activity.verdicts.sum", { n: number(found.verdicts.length), passed: number(found.verdicts.filter((one) => one.passed).length) });
  return figure(
    t("activity.verdicts"),
    sentence,
    [verdicts(found.verdicts, everyDay(found.since, found.until), `${t("activity.verdicts")}: ${sentence}`), h("ul", { class: "legend" }, [true, false, null].map((one) => h("li", null, verdict(one))))],
    table(
      `${t("activity.verdicts")} · ${t("activity.table")}`,
      ["task.when", "table.task", "task.verdict", "task.score"].map((key) => t(key)),
      [...found.verdicts].reverse().map((one) => [moment(one.at), h("a", { href: `#/tasks/${one.task_id}/${one.snapshot_id}` }, one.title), verdict(one.passed), percent(one.score)]),
      { hidden: true },
    ),
  );
}

// Actual hours are the learner's own, in the rows; no event has them.
function estimates(done) {
  const both = done.filter((task) => task.estimated_hours !== null && task.actual_hours !== null);
  const heading = t("activity.estimates");
  if (!both.length) return h("figure", { class: "plot card" }, h("figcaption", null, h("h2", null, heading), h("p", { class: "hint" }, t("activity.estimates.none"))));
  const total = (name) => hours(both.reduce((sum, task) => sum + task[name], 0));
  const sentence = t("activity.estimates.sum", { n: number(both.length), estimated: total("estimated_hours"), actual: total("actual_hours") });
  return figure(
    heading,
    sentence,
    [pairs(both.slice(0, PAIRS), `${heading}: ${sentence}`), legend([["estimated", t("activity.estimated")], ["actual", t("task.actual")]])],
    table(
      `${heading} · ${t("activity.table")}`,
      ["table.task", "activity.estimated", "activity.range", "task.actual"].map((key) => t(key)),
      both.map((task) => [h("a", { href: `#/tasks/${task.id}` }, task.title), hours(task.estimated_hours), task.metadata.estimate?.high ? `${hours(task.metadata.estimate.low)} – ${hours(task.metadata.estimate.high)}` : t("none"), hours(task.actual_hours)]),
      { hidden: true },
    ),
  );
}
