// Code with its findings where they are: below the last line that each is about.

import { badge, h } from "./dom.js";
import { t } from "./words.js";

const RANK = ["critical", "high", "medium", "low", "info"];

function place(issue) {
  if (!issue.start_line) return t("task.whole");
  const values = { from: issue.start_line, to: issue.end_line };
  return issue.end_line > issue.start_line ? t("task.lines", values) : t("task.line", values);
}

function finding(issue) {
  const severity = RANK.includes(issue.severity) ? issue.severity : "info";
  return h(
    "div",
    { class: `finding ${severity}`, role: "note" },
    h("p", { class: "badges" }, badge(severity, t(`severity.${severity}`)), h("span", { class: "hint" }, [place(issue), issue.rule ?? issue.source].filter(Boolean).join(" · "))),
    h("p", null, String(issue.problem ?? "")),
    issue.trigger ? h("p", { class: "hint" }, String(issue.trigger)) : null,
  );
}

export function drawCode(snapshot) {
  const issues = snapshot.issues_found.filter((one) => one && typeof one === "object");
  const lines = snapshot.code_content.replace(/\n$/, "").split("\n");
  const on = (issue) => issue.start_line >= 1 && issue.end_line <= lines.length;
  const after = new Map();
  const marked = new Set();
  for (const issue of issues.filter(on)) {
    after.set(issue.end_line, [...(after.get(issue.end_line) ?? []), issue]);
    for (let at = issue.start_line; at <= issue.end_line; at += 1) marked.add(at);
  }
  const rest = issues.filter((issue) => !on(issue));
  return h(
    "div",
    null,
    rest.map(finding),
    h(
      "div",
      { class: "code scroll", tabindex: "0", role: "region", "aria-label": t("task.code", { file: snapshot.file_path }) },
      h(
        "ol",
        null,
        lines.map((line, at) =>
          h("li", { class: marked.has(at + 1) ? "marked" : null }, h("code", null, line || " "), (after.get(at + 1) ?? []).map(finding)),
        ),
      ),
    ),
  );
}
