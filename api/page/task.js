// A task: what is asked, how it was tried, and what was found in the code.

import { call, list } from "./api.js";
import { badge, fillWith, freshId, h, say, table } from "./dom.js";
import { drawCode } from "./code.js";
import { markdown } from "./markdown.js";
import { hours, moment, percent, plain, t } from "./words.js";

const SHOWN = 200;
const STATUSES = ["todo", "in_progress", "in_review", "completed", "failed", "skipped"];

export async function showTask({ root, ids, signal, title, again }) {
  const id = encodeURIComponent(ids[0] ?? "");
  const [task, attempts] = await Promise.all([
    call(`/v1/tasks/${id}`, { signal }),
    list(`/v1/snapshots?task_id=${id}`, { signal, most: SHOWN }),
  ]);
  const chosen = attempts.find((one) => one.id === ids[1]) ?? attempts[0];
  const [goal, snapshot, siblings] = await Promise.all([
    task.goal_id ? call(`/v1/goals/${task.goal_id}`, { signal }) : null,
    chosen ? call(`/v1/snapshots/${chosen.id}`, { signal }) : null,
    task.goal_id && needsOf(task).length ? list(`/v1/tasks?goal_id=${task.goal_id}`, { signal }) : [],
  ]);
  title(task.title);
  const needs = siblings.filter((one) => needsOf(task).includes(one.id));
  fillWith(
    root,
    h("p", { class: "crumbs" }, h("a", { href: goal ? `#/goals/${goal.id}` : "#/goals" }, `← ${goal ? goal.title : t("goals.title")}`)),
    h("h1", { tabindex: "-1" }, task.title),
    h("p", { class: "badges" }, badge(task.status, t(`status.${task.status}`)), badge("kind", t(`kind.${task.task_type}`))),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        null,
        task.description ? h("section", null, h("h2", null, t("task.about")), markdown(task.description)) : null,
        criteria(task),
      ),
      h("div", null, h("dl", { class: "facts" }, facts(task, needs)), record(task, again)),
    ),
    h(
      "section",
      null,
      h("h2", null, t("task.attempts")),
      attempts.length ? attemptTable(task, attempts, chosen) : h("p", { class: "empty" }, t("task.attempts.none")),
    ),
    snapshot ? attempt(snapshot) : null,
  );
}

const needsOf = (task) => (Array.isArray(task.metadata.depends_on) ? task.metadata.depends_on : []);

function facts(task, needs) {
  const { estimate } = task.metadata;
  const between = estimate && typeof estimate === "object" ? t("task.between", { low: hours(estimate.low), high: hours(estimate.high), likely: hours(estimate.likely) }) : hours(task.estimated_hours);
  return [
    [h("dt", null, t("task.estimate")), h("dd", null, between)],
    [h("dt", null, t("task.actual")), h("dd", null, hours(task.actual_hours))],
    needs.length ? [h("dt", null, t("task.needs")), needs.map((one) => h("dd", null, h("a", { href: `#/tasks/${one.id}` }, one.title)))] : null,
  ];
}

// The criteria that the task was made with, and what the last verdict says of each that it judged.
function criteria(task) {
  const judged = task.validation_result?.criteria ?? [];
  const verdicts = new Map(judged.map((one) => [one.text, one]));
  const asked = Array.isArray(task.metadata.acceptance_criteria) ? task.metadata.acceptance_criteria : [];
  const all = [...new Set([...asked, ...verdicts.keys()])];
  if (!all.length) return null;
  return h(
    "section",
    null,
    h("h2", null, t("task.criteria")),
    h(
      "ul",
      { class: "criteria" },
      all.map((text) => {
        const found = verdicts.get(text);
        return h("li", null, h("span", null, text), found ? [" ", badge(found.verdict, t(`criterion.${found.verdict}`)), found.why ? h("p", { class: "hint" }, found.why) : null] : null);
      }),
    ),
  );
}

// How it went: the status, and the hours that it took.
function record(task, again) {
  const status = freshId("status");
  const spent = freshId("hours");
  const told = h("p", { class: "problem", role: "alert", hidden: true });
  const save = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const patch = {};
    if (given.get("status") !== task.status) patch.status = given.get("status");
    const took = given.get("actual_hours") === "" ? null : Number(given.get("actual_hours"));
    if (took !== task.actual_hours) patch.actual_hours = took;
    told.hidden = true;
    if (!Object.keys(patch).length) return;
    try {
      await call(`/v1/tasks/${task.id}`, { method: "PATCH", body: patch });
      await again();
      say(t("task.saved"));
    } catch (error) {
      told.textContent = plain(error);
      told.hidden = false;
    }
  };
  return h(
    "form",
    { class: "card", onsubmit: save },
    h("h2", null, t("task.record")),
    h("div", { class: "field" }, h("label", { for: status }, t("table.status")), h("select", { id: status, name: "status" }, STATUSES.map((one) => h("option", { value: one, selected: one === task.status }, t(`status.${one}`))))),
    h("div", { class: "field" }, h("label", { for: spent }, t("task.hours")), h("input", { id: spent, name: "actual_hours", type: "number", min: 0, step: "any", inputmode: "decimal", value: task.actual_hours === null ? "" : String(task.actual_hours) })),
    told,
    h("button", { type: "submit" }, t("task.save")),
  );
}

export function verdict(passed) {
  return badge(`verdict-${passed}`, t(`verdict.${passed}`));
}

function attemptTable(task, attempts, chosen) {
  return table(
    t("task.attempts"),
    ["task.when", "task.verdict", "task.score", "task.findings", "task.file"].map((key) => t(key)),
    attempts.map((one) => [
      h("a", { href: `#/tasks/${task.id}/${one.id}`, "aria-current": one === chosen ? "true" : null }, moment(one.created_at)),
      verdict(one.validation_passed),
      percent(one.validation_score),
      String(one.issues_found.length),
      one.file_path,
    ]),
    { hidden: true, wide: true },
  );
}

function attempt(snapshot) {
  const runs = Array.isArray(snapshot.metadata.runs) ? snapshot.metadata.runs : [];
  return h(
    "section",
    null,
    h("h2", null, t("task.attempt", { date: moment(snapshot.created_at) })),
    runs.length
      ? table(
          t("task.runs"),
          ["task.call", "task.expected", "task.got", "task.result"].map((key) => t(key)),
          runs.map((run) => [h("code", null, run.expression), h("code", null, run.expected ?? ""), h("code", null, run.got ?? run.detail ?? ""), badge(`run-${run.status}`, t(`run.${run.status}`))]),
        )
      : null,
    h("h3", null, snapshot.file_path),
    drawCode(snapshot),
    snapshot.validation_feedback ? h("div", { class: "card" }, h("h3", null, t("task.feedback")), markdown(snapshot.validation_feedback)) : null,
  );
}
