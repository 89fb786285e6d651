// The frame: header, addresses, themes, and one view at a time.

import { signedOut, call } from "./api.js";
import { fillWith, freshId, h, say } from "./dom.js";
import { showActivity } from "./activity.js";
import { showGoal, showGoals } from "./goals.js";
import { showPlan } from "./plan.js";
import { showSignIn } from "./signin.js";
import { showTask } from "./task.js";
import { preferred, session } from "./session.js";
import { language, LANGUAGES, plain, t } from "./words.js";

const VIEWS = { plan: showPlan, goals: (view) => (view.ids[0] ? showGoal(view) : showGoals(view)), tasks: showTask, activity: showActivity };
const main = document.getElementById("main");
let open = new AbortController();
let wanted = null; // where a person was when the sign-in ended

function theme() {
  const chosen = preferred.get("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

function choice(label, name, options, value, onchange) {
  const id = freshId("choice");
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    h("select", { id, name, onchange: (event) => onchange(event.target.value) }, Object.entries(options).map(([key, text]) => h("option", { value: key, selected: key === value }, text))),
  );
}

function settings() {
  return h(
    "details",
    { class: "menu", onkeydown: (event) => {
      if (event.key !== "Escape") return;
      event.currentTarget.open = false;
      event.currentTarget.querySelector("summary").focus();
    } },
    h("summary", null, t("settings")),
    h(
      "div",
      { class: "sheet" },
      choice(t("settings.language"), "language", LANGUAGES, language(), (value) => {
        preferred.set("language", value);
        draw();
      }),
      choice(t("settings.theme"), "theme", { auto: t("theme.auto"), light: t("theme.light"), dark: t("theme.dark") }, preferred.get("theme") ?? "auto", (value) => {
        preferred.set("theme", value);
        theme();
      }),
      session.token ? h("button", { type: "button", class: "quiet", onclick: () => leave() }, t("sign.out")) : null,
    ),
  );
}

function frame(name) {
  document.documentElement.lang = language();
  document.getElementById("skip").textContent = t("skip");
  const bar = document.getElementById("bar");
  bar.querySelectorAll(":scope > :not(.brand)").forEach((one) => one.remove());
  if (session.token) {
    const links = ["plan", "goals", "activity"].map((one) =>
      h("a", { href: `#/${one}`, "aria-current": one === name || (one === "goals" && name === "tasks") ? "page" : null }, t(`nav.${one}`)),
    );
    bar.append(h("nav", { "aria-label": t("nav") }, links));
  }
  bar.append(settings());
}

function leave(notice = null) {
  session.token = null;
  session.user = null;
  if (notice) wanted = location.hash;
  draw({ notice });
}

async function draw({ notice = null, focus = false } = {}) {
  open.abort();
  open = new AbortController();
  const { signal } = open;
  const [name = "goals", ...ids] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  if (session.token && !session.user) await account(signal);
  if (signal.aborted) return;
  frame(session.token ? name : "sign-in");
  if (!session.token) {
    title(t("sign.in"));
    showSignIn({ root: main, notice, onDone: signedIn });
    return;
  }
  const show = Object.hasOwn(VIEWS, name) && ids.every((id) => /^\w+$/.test(id)) ? VIEWS[name] : null;
  if (!show) {
    title(t("found.nothing"));
    fillWith(main, h("h1", null, t("found.nothing")), h("p", null, h("a", { href: "#/goals" }, t("found.nothing.way"))));
    return;
  }
  const view = { root: main, ids, signal, title, again: () => draw(), problem: (error) => broken(error) };
  try {
    fillWith(main, h("p", { class: "loading" }, t("loading")));
    await show(view);
  } catch (error) {
    if (!signal.aborted) broken(error);
  }
  if (focus && !signal.aborted) main.querySelector("h1")?.focus();
}

// Who is signed in, for their language; a service whose users are elsewhere does not tell.
async function account(signal) {
  session.user = {};
  try {
    session.user = await call("/v1/users/me", { signal });
  } catch {
    /* whatever is wrong shows in the view, or does not matter */
  }
}

function broken(error) {
  if (error.name === "AbortError" || !session.token) return;
  if (!("code" in error) || typeof error.code !== "string") console.error(error);
  fillWith(
    main,
    h("div", { class: "problem", role: "alert" }, h("h1", { tabindex: "-1" }, error.code ? plain(error) : t("error.INTERNAL")), h("p", { class: "actions" }, h("button", { type: "button", onclick: () => draw() }, t("again")), h("a", { href: "#/goals" }, t("found.nothing.way")))),
  );
}

function title(text) {
  document.title = `${text} · AI Goals Tracker`;
  say(text);
}

function signedIn() {
  session.user = null;
  const to = wanted ?? (location.hash.length > 2 ? location.hash : "#/goals");
  wanted = null;
  if (location.hash === to) draw({ focus: true });
  else location.hash = to;
}

signedOut.addEventListener("signed-out", () => session.token && leave("sign.ended"));
addEventListener("hashchange", () => draw({ focus: true }));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
theme();
draw();
