// The tasks of a goal as a drawing: boxes that are links, edges, and the critical path.

import { h, svg } from "./dom.js";
import { criticalPath, layered } from "./layout.js";
import { hours, t } from "./words.js";

export const DONE = new Set(["completed", "skipped"]);
const MOST = 60;
const HEIGHT = 64;
const GAP = { layer: 54, cell: 18 };
const BEND = 8; // what an edge takes that passes a layer

export function asNodes(tasks) {
  return tasks.map((task) => ({
    id: task.id,
    needs: Array.isArray(task.metadata.depends_on) ? task.metadata.depends_on : [],
    hours: task.estimated_hours ?? 0,
    open: !DONE.has(task.status),
  }));
}

export { criticalPath };

function wrapped(title, most) {
  const lines = [""];
  for (const word of title.split(/\s+/)) {
    const line = lines[lines.length - 1];
    if (line && line.length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  const cut = (line) => (line.length > most ? `${line.slice(0, most - 1)}…` : line);
  return lines.length > 2 ? [cut(lines[0]), cut(`${lines[1].slice(0, most - 2)} …`)] : lines.map(cut);
}

// `tall`: layers go down the page instead of across it.
export function drawGraph(tasks, { tall }) {
  if (tasks.length > MOST) return h("p", { class: "hint" }, t("graph.many", { n: tasks.length }));
  const { layers, edges } = layered(asNodes(tasks));
  const path = criticalPath(asNodes(tasks)).chain;
  const critical = new Set(path.slice(1).map((id, at) => `${path[at]} ${id}`));
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const box = { width: tall ? 158 : 190, height: HEIGHT };
  const size = (cell) => (cell.bend ? BEND : tall ? box.width : box.height) + GAP.cell;
  const depth = tall ? box.height : box.width;
  const along = depth + GAP.layer;
  const spans = layers.map((layer) => layer.reduce((sum, cell) => sum + size(cell), 0));
  const span = Math.max(...spans);
  layers.forEach((layer, at) => {
    let here = (span - spans[at]) / 2;
    for (const cell of layer) {
      cell.across = here + size(cell) / 2;
      here += size(cell);
    }
  });
  const middle = (cell) => ({ along: cell.layer * along, across: cell.across });
  const point = (one, other) => (tall ? [other, one] : [one, other]);
  const pad = 4;
  const length = layers.length * along - GAP.layer;
  const [width, height] = point(length + 2 * pad, span);

  const lines = edges.map((edge) => {
    let d = "";
    edge.forEach((cell, at) => {
      const here = middle(cell);
      const enters = point(here.along, here.across);
      const leaves = point(here.along + depth, here.across);
      if (at === 0) d = `M${leaves}`;
      else {
        const before = middle(edge[at - 1]);
        const half = before.along + depth + GAP.layer / 2;
        d += `C${point(half, before.across)} ${point(half, here.across)} ${enters}`;
        if (cell.bend) d += `L${leaves}`;
      }
    });
    const is = critical.has(`${edge[0].id} ${edge[edge.length - 1].id}`);
    return svg("path", { d, class: is ? "edge critical" : "edge", "marker-end": is ? "url(#tip-critical)" : "url(#tip)" });
  });
  const boxes = layers.flat().filter((cell) => !cell.bend).map((cell) => {
    const task = byId.get(cell.id);
    const here = middle(cell);
    const [x, y] = tall ? [here.across - box.width / 2, here.along] : [here.along, here.across - box.height / 2];
    const is = path.includes(task.id);
    const state = t(`status.${task.status}`);
    const label = [task.title, state, hours(task.estimated_hours), is ? t("graph.critical") : ""].filter(Boolean).join(", ");
    return svg(
      "a",
      { href: `#/tasks/${task.id}`, class: `node ${task.status}${is ? " critical" : ""}` },
      svg("title", null, label),
      svg("rect", { x, y, width: box.width, height: box.height, rx: 8 }),
      wrapped(task.title, tall ? 20 : 25).map((line, at) => svg("text", { x: x + 12, y: y + 20 + at * 16 }, line)),
      svg("text", { x: x + 12, y: y + 56, class: "small" }, `${is ? "◆ " : ""}${state}${task.estimated_hours ? ` · ${hours(task.estimated_hours)}` : ""}`),
    );
  });
  const tip = (id, kind) =>
    svg("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 10, markerHeight: 10, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M0 0 8 4 0 8z", class: kind }));
  return h(
    "div",
    { class: "scroll drawing", tabindex: "0", role: "region", "aria-label": t("graph.name") },
    svg(
      "svg",
      { viewBox: `${point(-pad, 0).join(" ")} ${width} ${height}`, width, height, class: "graph", role: "group", "aria-label": t("graph.name") },
      svg("defs", null, tip("tip", "tip"), tip("tip-critical", "tip critical")),
      lines,
      boxes,
    ),
  );
}
