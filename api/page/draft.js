// A plan draft: what the planner proposes, and a decision on each item of it.

import { badge, freshId, h } from "./dom.js";
import { hours, t } from "./words.js";

const CHOICES = {
  priority: (kind) => (kind === "goal" ? ["low", "medium", "high", "urgent"].map((one) => [one, t(`priority.${one}`)]) : null),
  task_type: () => ["code", "documentation", "testing", "research", "review", "deployment", "other"].map((one) => [one, t(`kind.${one}`)]),
};
const LONG = new Set(["description"]);
const HIDDEN = new Set(["priority"]); // of a task: a number that orders, nobody's business here

function editor(item, name, value) {
  const id = freshId("edit");
  const choices = CHOICES[name]?.(item.kind);
  let control;
  let read;
  if (Array.isArray(value)) {
    control = h("textarea", { id, rows: Math.max(2, value.length + 1), value: value.join("\n") });
    read = () => control.value.split("\n").map((line) => line.trim()).filter(Boolean);
  } else if (choices) {
    control = h("select", { id }, choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
    read = () => control.value;
  } else if (typeof value === "number") {
    control = h("input", { id, type: "number", min: 0, step: "any", value: String(value) });
    read = () => (control.value === "" ? value : Number(control.value));
  } else if (LONG.has(name)) {
    control = h("textarea", { id, rows: 3, value: value ?? "" });
    read = () => control.value.trim() || null;
  } else {
    control = h("input", { id, value: value ?? "" });
    read = () => control.value.trim();
  }
  const hint = Array.isArray(value) ? h("span", { class: "hint" }, ` · ${t("draft.lines")}`) : null;
  const node = h("div", { class: "field" }, h("label", { for: id }, t(`field.${name}`), hint), control);
  return { name, node, read: () => ({ value: read(), same: JSON.stringify(read()) === JSON.stringify(value) }) };
}

function details(item, titles) {
  const { fields } = item;
  const needs = (item.depends_on ?? []).map((key) => titles.get(key)).filter(Boolean);
  return [
    fields.description ? h("p", null, fields.description) : null,
    item.kind === "status" ? h("p", null, `${t(`status.${item.before}`)} → ${t(`status.${fields.status}`)}`) : null,
    fields.criteria?.length ? h("ul", null, fields.criteria.map((one) => h("li", null, one))) : null,
    item.why ? h("p", { class: "hint" }, `${t("draft.why")}: ${item.why}`) : null,
    fields.estimated_hours || needs.length
      ? h("p", { class: "hint" }, [fields.estimated_hours ? hours(fields.estimated_hours) : null, needs.length ? `${t("draft.needs")}: ${needs.join(", ")}` : null].filter(Boolean).join(" · "))
      : null,
  ];
}

// The draft as an element. `decide` gets {key: {action, fields}}; without it nothing can be decided.
export function drawDraft(plan, decide) {
  const titles = new Map(plan.items.map((item) => [item.key, item.title]));
  const chosen = new Map();
  const left = h("p", { class: "hint", role: "status" });
  const save = h("button", { type: "submit", class: "main" }, t("draft.save"));
  const count = () => {
    const missing = plan.items.length - chosen.size;
    left.textContent = missing ? t("draft.left", { n: missing }) : t("draft.ready");
    save.disabled = missing > 0;
  };
  const items = plan.items.map((item) => drawItem(item, titles, decide ? chosen : null, count));
  const every = (action) => () => {
    items.forEach((one) => one.choose(action));
    count();
    save.focus();
  };
  count();
  const list = h("ol", { class: "items" }, items.map((one) => h("li", null, one.node)));
  if (!decide) return h("div", { class: "draft" }, list, h("p", { class: "hint" }, t("draft.locked")));
  const several = plan.items.length > 1;
  return h(
    "form",
    {
      class: "draft",
      onsubmit: (event) => {
        event.preventDefault();
        decide(Object.fromEntries(items.map((one) => [one.key, one.decision()])));
      },
    },
    several ? h("p", { class: "actions" }, h("button", { type: "button", onclick: every("accept") }, t("draft.all")), h("button", { type: "button", class: "quiet", onclick: every("reject") }, t("draft.none"))) : null,
    list,
    h("div", { class: "foot" }, left, save),
  );
}

function drawItem(item, titles, chosen, onChoice) {
  const name = freshId("decision");
  const editable = Object.entries(item.fields).filter(([field]) => item.kind === "goal" || !HIDDEN.has(field));
  const editors = item.kind === "status" ? [] : editable.map(([field, value]) => editor(item, field, value));
  const edits = h("div", { class: "edits", hidden: true }, editors.map((one) => one.node));
  const shown = h("div", null, details(item, titles));
  const radios = new Map();
  const choose = (action) => {
    radios.get(action).checked = true;
    chosen.set(item.key, action);
    edits.hidden = action !== "edit";
    shown.hidden = action === "edit";
    node.dataset.choice = action;
  };
  const option = (action) => {
    const id = freshId("choice");
    const radio = h("input", { type: "radio", id, name, value: action, onchange: () => {
      choose(action);
      onChoice();
      if (action === "edit") edits.querySelector("input, textarea, select")?.focus();
    } });
    radios.set(action, radio);
    return [radio, h("label", { for: id }, t(`draft.${action}`))];
  };
  const actions = ["accept", ...(editors.length ? ["edit"] : []), "reject"];
  const titled = h("h3", { id: `${name}-title` }, item.title);
  const kind = badge(item.action, t(`draft.${item.action}.${item.kind}`));
  const group = h("div", { class: "choices", role: "radiogroup", "aria-labelledby": `${name}-title` }, actions.map(option));
  const before = item.decision ? badge(item.decision.action, t(`draft.${item.decision.action}`)) : null;
  const node = h("article", { class: "item", "aria-labelledby": `${name}-title` }, h("p", { class: "badges" }, kind, before), titled, shown, edits, chosen ? group : null);
  const decision = () => {
    const action = chosen.get(item.key);
    if (action !== "edit") return { action };
    const fields = Object.fromEntries(editors.map((one) => [one.name, one.read()]).filter(([, read]) => !read.same).map(([field, read]) => [field, read.value]));
    return Object.keys(fields).length ? { action, fields } : { action: "accept" };
  };
  return { key: item.key, node, choose, decision };
}

// What was written, with the ways to go on.
export function drawWritten(kind, written, { say }) {
  const goals = (written?.suggestions ?? []).map((one) => one.goal);
  const links = [];
  for (const goal of goals) {
    links.push(
      h(
        "li",
        null,
        h("a", { href: `#/goals/${goal.id}` }, goal.title),
        h("button", { type: "button", onclick: () => say(t("draft.break.say", { id: goal.id })) }, t("draft.break")),
      ),
    );
  }
  if (written?.goal_id) links.push(h("li", null, h("a", { href: `#/goals/${written.goal_id}` }, t("draft.open.goal"))));
  for (const one of written?.dropped ?? []) {
    if (one.repeats) links.push(h("li", { class: "hint" }, t("draft.left.out", one)));
  }
  return links.length ? h("div", { class: "written" }, h("h3", null, t("draft.written")), h("ul", null, links)) : null;
}

