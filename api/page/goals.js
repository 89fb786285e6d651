// Goals with their progress; a goal with its tasks as a graph and a table.

import { call, list } from "./api.js";
import { badge, fillWith, h, table } from "./dom.js";
import { asNodes, criticalPath, drawGraph } from "./graph.js";
import { day, hours, number, t } from "./words.js";

const CLOSED = new Set(["completed", "cancelled"]);

export function progress(goal) {
  const value = Math.round(goal.progress_percentage);
  return h("div", { class: "progress" }, h("progress", { max: 100, value, "aria-label": t("goals.progress", { title: goal.title }) }), h("span", null, `${number(value)} %`));
}

function card(goal) {
  return h(
    "li",
    { class: "card" },
    h("h3", null, h("a", { href: `#/goals/${goal.id}` }, goal.title)),
    h("p", { class: "badges" }, badge(goal.status, t(`status.${goal.status}`)), badge(`priority ${goal.priority}`, t(`priority.${goal.priority}`)), goal.due_date ? h("span", { class: "hint" }, t("goals.due", { date: day(goal.due_date) })) : null),
    progress(goal),
  );
}

export async function showGoals({ root, signal, title }) {
  title(t("goals.title"));
  const goals = await list("/v1/goals?sort=-created_at", { signal, most: 500 });
  const more = goals.length ? h("p", { class: "actions" }, h("a", { class: "button", href: "#/plan" }, t("goals.new"))) : null;
  const head = h("div", { class: "head" }, h("h1", { tabindex: "-1" }, t("goals.title")), more);
  if (!goals.length) {
    fillWith(root, head, h("div", { class: "empty" }, h("p", null, t("goals.none")), h("a", { class: "button main", href: "#/plan" }, t("goals.none.way"))));
    return;
  }
  const part = (name, some) => (some.length ? h("section", null, h("h2", null, `${t(name)} (${number(some.length)})`), h("ul", { class: "cards" }, some.map(card))) : null);
  fillWith(root, head, part("goals.open", goals.filter((one) => !CLOSED.has(one.status))), part("goals.closed", goals.filter((one) => CLOSED.has(one.status))));
}

export async function showGoal({ root, ids, signal, title }) {
  const id = encodeURIComponent(ids[0]);
  const [goal, tasks, next] = await Promise.all([
    call(`/v1/goals/${id}`, { signal }),
    list(`/v1/tasks?goal_id=${id}&sort=priority`, { signal }),
    call(`/v1/goals/${id}/next`, { signal }),
  ]);
  title(goal.title);
  const path = criticalPath(asNodes(tasks));
  const now = next.task ? h("a", { href: `#/tasks/${next.task.id}` }, next.task.title) : t(`goals.next.${next.reason ?? "no_tasks"}`);
  const narrow = matchMedia("(max-width: 46rem)");
  const drawing = h("div");
  const draw = () => fillWith(drawing, drawGraph(tasks, { tall: narrow.matches }));
  if (tasks.length) draw();
  narrow.addEventListener("change", draw);
  signal.addEventListener("abort", () => narrow.removeEventListener("change", draw));
  fillWith(
    root,
    h("p", { class: "crumbs" }, h("a", { href: "#/goals" }, `← ${t("goals.title")}`)),
    h("h1", { tabindex: "-1" }, goal.title),
    h("p", { class: "badges" }, badge(goal.status, t(`status.${goal.status}`)), badge(`priority ${goal.priority}`, t(`priority.${goal.priority}`)), goal.ai_generated ? h("span", { class: "hint" }, t("goals.ai")) : null, goal.due_date ? h("span", { class: "hint" }, t("goals.due", { date: day(goal.due_date) })) : null),
    progress(goal),
    goal.description ? h("p", null, goal.description) : null,
    goal.criteria.length ? h("section", null, h("h2", null, t("goals.criteria")), h("ul", null, goal.criteria.map((one) => h("li", null, one.text)))) : null,
    h("p", { class: "notice now" }, h("strong", null, `${t("goals.next")}: `), now),
    h("section", null, h("h2", null, t("goals.tasks")), tasks.length ? [path.chain.length ? h("p", null, t("graph.path", { n: path.chain.length, hours: hours(path.hours) })) : null, drawing, taskTable(tasks, new Set(path.chain))] : h("p", { class: "actions" }, h("a", { class: "button main", href: `#/plan/new/${goal.id}` }, t("goals.break")))),
  );
}

function taskTable(tasks, critical) {
  const titles = new Map(tasks.map((task) => [task.id, task.title]));
  const needs = (task) => (task.metadata.depends_on ?? []).map((id) => titles.get(id)).filter(Boolean).join("; ");
  return table(
    `${t("goals.tasks")} · ${t("activity.table")}`,
    ["table.task", "table.status", "table.kind", "table.hours", "table.needs", "table.critical"].map((key) => t(key)),
    tasks.map((task) => [
      h("a", { href: `#/tasks/${task.id}` }, task.title),
      badge(task.status, t(`status.${task.status}`)),
      t(`kind.${task.task_type}`),
      hours(task.estimated_hours),
      needs(task) || t("none"),
      critical.has(task.id) ? `◆ ${t("yes")}` : t("none"),
    ]),
    { wide: true },
  );
}
