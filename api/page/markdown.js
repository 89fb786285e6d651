// A model's words: paragraphs, lists, emphasis and code; nothing that loads, leads away or runs.

import { h } from "./dom.js";

const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*/g;

function inline(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(at, found.index));
    parts.push(found[1] === undefined ? h("strong", null, found[2]) : h("code", null, found[1]));
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}

export function markdown(text) {
  const out = [];
  let list = null;
  let lines = [];
  let fence = null;
  const endLines = () => {
    if (lines.length) out.push(h("p", null, lines.flatMap((line, at) => (at ? [h("br"), ...inline(line)] : inline(line)))));
    lines = [];
  };
  const endList = () => {
    if (list) out.push(list);
    list = null;
  };
  for (const raw of text.split("\n")) {
    if (fence !== null) {
      if (/^\s*```/.test(raw)) {
        out.push(h("pre", { tabindex: "0" }, h("code", null, fence.join("\n"))));
        fence = null;
      } else fence.push(raw);
      continue;
    }
    const line = raw.trim();
    const item = /^([-*]|\d+[.)])\s+(.*)$/.exec(line);
    if (line.startsWith("```")) {
      endLines();
      endList();
      fence = [];
    } else if (item) {
      endLines();
      list ??= h("ul");
      list.append(h("li", null, inline(item[2])));
    } else if (line === "") {
      endLines();
      endList();
    } else {
      endList();
      lines.push(line.replace(/^#{1,6}\s+/, ""));
    }
  }
  if (fence !== null) out.push(h("pre", { tabindex: "0" }, h("code", null, fence.join("\n"))));
  endLines();
  endList();
  return out;
}
