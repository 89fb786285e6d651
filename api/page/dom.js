// Elements without markup: text that comes from elsewhere can only ever become text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(4).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

// h("a", {href, class, onclick}, "text", child, [children]) → an element
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function fillWith(parent, ...children) {
  parent.replaceChildren(...children.flat(4).filter(Boolean));
}

// Say it to who listens instead of looking.
export function say(text) {
  document.getElementById("said").textContent = text;
}

let made = 0;
export function freshId(prefix) {
  made += 1;
  return `${prefix}-${made}`;
}

// A table that scrolls by itself on narrow screens, and can be scrolled by keys.
export function table(caption, heads, rows, { hidden = false, wide = false } = {}) {
  const name = freshId("table");
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": name },
    h(
      "table",
      { class: wide ? "wide" : null },
      h("caption", { id: name, class: hidden ? "unseen" : null }, caption),
      h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
      h(
        "tbody",
        null,
        rows.map((row) =>
          h("tr", null, row.map((cell, at) => (at === 0 ? h("th", { scope: "row" }, cell) : h("td", null, cell)))),
        ),
      ),
    ),
  );
}

export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, text);
}
