// The planning chat: what was said, what the planner does, and the draft that waits for decisions.

import { call, Problem } from "./api.js";
import { fillWith, h, say } from "./dom.js";
import { drawDraft, drawWritten } from "./draft.js";
import { markdown } from "./markdown.js";
import { follow, patched } from "./stream.js";
import { has, moment, plain, t } from "./words.js";

const PAGE = 50;
const RUNS_LOOKED_AT = 4;
let unsent = ""; // what could not be said yet, while the page is drawn anew

const COMMAND = /^\/accept int_[0-9a-f]+ all$/;

export async function showPlan({ root, ids, signal, title, again }) {
  title(t("plan.title"));
  const [thread, goal] = ids[0] === "new" ? [null, ids[1]] : [ids[0] ?? null, null];
  const talk = new Talk(thread, signal, again);
  const [threads] = await Promise.all([call("/v1/threads?limit=30", { signal }), talk.load()]);
  fillWith(
    root,
    h(
      "div",
      { class: "plan" },
      h("div", { class: "head" }, h("h1", { tabindex: "-1" }, t("plan.title")), talks(threads.items, talk, again)),
      h("section", { class: "talk", "aria-label": t("plan.log") }, h("h2", { class: "unseen" }, t("plan.log")), talk.log, talk.line),
      h("section", { class: "side", "aria-label": t("plan.draft") }, talk.head, talk.draft),
      talk.composer,
    ),
  );
  talk.resume();
  talk.log.scrollTop = talk.log.scrollHeight;
  if (goal) talk.input.value = t("draft.break.say", { id: goal });
  if (!talk.thread) talk.input.focus({ preventScroll: true });
}

function talks(threads, talk, again) {
  const remove = async () => {
    if (!confirm(t("plan.delete.sure"))) return;
    try {
      await call(`/v1/threads/${talk.thread}`, { method: "DELETE" });
      location.hash = "#/plan";
    } catch (error) {
      talk.tell(plain(error));
    }
  };
  const start = () => (location.hash === "#/plan" ? again() : (location.hash = "#/plan"));
  return h(
    "div",
    { class: "actions" },
    h("button", { type: "button", onclick: start }, t("plan.new")),
    threads.length
      ? h(
          "details",
          { class: "menu" },
          h("summary", null, t("plan.talks")),
          h(
            "div",
            { class: "sheet" },
            h("ul", { class: "links" }, threads.map((one) => h("li", null, h("a", { href: `#/plan/${one.id}`, "aria-current": one.id === talk.thread ? "true" : null }, one.title ?? t("plan.untitled"), h("span", { class: "hint" }, moment(one.updated_at)))))),
            talk.thread ? h("button", { type: "button", class: "quiet danger", onclick: remove }, t("plan.delete")) : null,
          ),
        )
      : null,
  );
}

class Talk {
  constructor(thread, signal, again) {
    this.thread = thread;
    this.named = thread ?? crypto.randomUUID();
    this.signal = signal;
    this.again = again;
    this.wake = new EventTarget();
    this.state = {};
    this.run = null; // under way
    this.waiting = null; // to follow when the page is there
    this.heard = new Set(); // runs that were listened to here
    this.bubbles = new Map();
    this.tools = new Map();
    this.log = h("div", { class: "log", role: "log", tabindex: "0", "aria-label": t("plan.log") });
    this.line = h("div", { class: "line", role: "status" });
    this.draft = h("div", null, h("p", { class: "hint" }, t("plan.draft.none")));
    this.head = h("h2", { tabindex: "-1" }, t("plan.draft"));
    this.composer = this.compose();
    this.tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel("goals.plan") : null;
    if (this.tabs) {
      this.tabs.onmessage = ({ data }) => {
        const news = data.thread === this.thread && !this.heard.has(data.run);
        if (news && !this.run && !this.busyWriting()) this.again();
      };
      signal.addEventListener("abort", () => this.tabs.close());
    }
  }

  compose() {
    this.input = h("textarea", { id: "message", name: "message", rows: 2, maxlength: 20000, required: true, "aria-describedby": "keys", onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.composer.requestSubmit();
    } });
    this.input.value = unsent;
    unsent = "";
    this.send = h("button", { type: "submit", class: "main" }, t("plan.send"));
    this.stop = h("button", { type: "button", hidden: true, onclick: () => this.cancel() }, t("plan.stop"));
    return h(
      "form",
      { class: "composer", onsubmit: (event) => {
        event.preventDefault();
        const text = this.input.value.trim();
        if (text && !this.run) this.ask(text);
      } },
      h("label", { for: "message" }, t("plan.message")),
      this.input,
      h("p", { class: "hint", id: "keys" }, t("plan.keys")),
      h("div", { class: "actions" }, this.send, this.stop),
    );
  }

  // A draft whose decisions have begun is not thrown away because another tab has news.
  busyWriting() {
    return this.input.value.trim() !== "" || this.draft.querySelector("[data-choice]") !== null;
  }

  async load() {
    if (!this.thread) {
      this.log.append(this.welcome());
      return;
    }
    await this.earlier(null);
  }

  welcome() {
    const example = (key) => h("li", null, h("button", { type: "button", class: "link", onclick: () => this.ask(t(key)) }, t(key)));
    return h("div", { class: "welcome" }, h("p", null, t("plan.lead")), h("h2", null, t("plan.try")), h("ul", { class: "links" }, ["plan.try.1", "plan.try.2"].map(example)));
  }

  async earlier(before) {
    const page = await call(`/v1/threads/${this.thread}/messages?limit=${PAGE}${before ? `&before=${before}` : ""}`, { signal: this.signal });
    const said = page.items.map((one) => this.bubble(one.role, one.content));
    const more = page.before
      ? h("button", { type: "button", class: "link", onclick: async (event) => {
          event.target.remove();
          await this.earlier(page.before).catch((error) => this.tell(plain(error)));
        } }, t("plan.earlier"))
      : null;
    this.log.prepend(...[more, ...said].filter(Boolean));
    if (before) return;
    const runs = [...new Set(page.items.map((one) => one.run_id).filter(Boolean).reverse())];
    for (const id of runs.slice(0, RUNS_LOOKED_AT)) {
      const run = await call(`/v1/runs/${id}`, { signal: this.signal }).catch(() => null);
      if (run?.state === "running" || run?.state === "waiting") {
        this.waiting = run;
        return;
      }
    }
  }

  // Take up what goes on, or waits, in this thread: a reloaded page, or one that another tab began.
  resume() {
    if (!this.waiting) return;
    const { id, state } = this.waiting;
    this.waiting = null;
    this.listen({ id }, { quiet: state === "waiting" });
  }

  ask(text) {
    this.log.querySelector(".welcome")?.remove();
    this.input.value = "";
    const node = this.bubble("user", text);
    this.add(node);
    this.listen({ body: this.body({ messages: [{ id: crypto.randomUUID(), role: "user", content: text }] }) }, { asked: { text, node } });
  }

  decide(decisions) {
    const resume = [{ interruptId: this.state.plan.interrupt_id, status: "resolved", payload: { decisions } }];
    this.listen({ body: this.body({ messages: [], resume }) }, { decides: true });
  }

  body(more) {
    return { threadId: this.thread ?? this.named, runId: crypto.randomUUID(), state: {}, tools: [], context: [], forwardedProps: {}, ...more };
  }

  async listen(run, { quiet = false, decides = false, asked = null } = {}) {
    this.run = run;
    this.busy(true);
    this.tell(t("step.converse"));
    try {
      const end = await follow(run, {
        onEvent: (event) => this.take(event, quiet),
        onLine: (state, wait) => this.lineIs(state, wait),
        signal: this.signal,
        wake: this.wake,
      });
      this.ended(end, quiet);
    } catch (error) {
      if (this.signal.aborted) return;
      this.failed(error, { decides, asked: run.id ? null : asked });
    } finally {
      this.run = null;
      if (!this.signal.aborted) this.busy(false);
    }
  }

  lineIs(state, wait) {
    if (state === "open") {
      if (this.wasCut) this.tell(t("plan.joined"));
      this.wasCut = false;
      this.found();
      return;
    }
    this.wasCut = true;
    const now = h("button", { type: "button", onclick: () => this.wake.dispatchEvent(new Event("now")) }, t("plan.now"));
    this.tell(t("plan.cut", { n: Math.max(1, Math.round(wait / 1000)) }), now);
  }

  // The server has named the thread: so does the address, without a new page.
  found() {
    const { thread } = this.run ?? {};
    if (!thread || this.thread === thread) return;
    this.thread = thread;
    history.replaceState(null, "", `#/plan/${thread}`);
  }

  take(event, quiet) {
    const kinds = {
      STEP_STARTED: () => this.tell(t(`step.${event.stepName}`)),
      TEXT_MESSAGE_START: () => !quiet && this.begin(event.messageId),
      TEXT_MESSAGE_CONTENT: () => !quiet && this.write(event.messageId, event.delta),
      TOOL_CALL_START: () => !quiet && this.useTool(event.toolCallId, event.toolCallName),
      TOOL_CALL_ARGS: () => this.tools.get(event.toolCallId)?.asked(event.delta),
      TOOL_CALL_RESULT: () => this.tools.get(event.toolCallId)?.answered(event.content),
      STATE_SNAPSHOT: () => this.planIs(event.snapshot),
      STATE_DELTA: () => this.planIs(patched(this.state, event.delta)),
      CUSTOM: () => event.name === "run_begun_again" && this.beginAgain(),
    };
    kinds[event.type]?.();
  }

  beginAgain() {
    for (const bubble of this.bubbles.values()) bubble.node.remove();
    for (const tool of this.tools.values()) tool.node.remove();
    this.bubbles.clear();
    this.tools.clear();
    this.tell(t("plan.again"));
  }

  begin(id) {
    this.bubbles.get(id)?.node.remove();
    const node = this.bubble("assistant", "");
    this.bubbles.set(id, { node, text: "" });
    this.add(node);
  }

  write(id, delta) {
    if (!this.bubbles.has(id)) this.begin(id);
    const bubble = this.bubbles.get(id);
    bubble.text += delta;
    bubble.drawing ??= requestAnimationFrame(() => {
      bubble.drawing = null;
      this.spoken(bubble.node, bubble.text);
      this.scroll();
    });
  }

  useTool(id, name) {
    this.tools.get(id)?.node.remove();
    const key = name.startsWith("search") ? "tool.search" : `tool.${name}`;
    const asked = h("pre", { tabindex: "0" });
    const answer = h("pre", { tabindex: "0" });
    const node = h("details", { class: "tool" }, h("summary", null, t(has(key) ? key : "tool.other")), h("p", null, t("tool.asked")), asked, h("p", null, t("tool.answered")), answer);
    this.tools.set(id, { node, asked: (part) => (asked.textContent += part), answered: (text) => (answer.textContent = text) });
    this.add(node);
  }

  planIs(state) {
    this.state = state;
    const { plan } = state;
    if (!plan?.items?.length) return;
    const open = plan.interrupt_id && !plan.written;
    fillWith(this.draft, drawDraft(plan, open ? (decisions) => this.decide(decisions) : null));
  }

  ended(end, quiet) {
    if (end.type === "RUN_GONE") {
      this.tell(t("plan.gone"));
      return;
    }
    if (end.type === "RUN_ERROR") {
      this.tell("");
      this.add(this.trouble(end.code === undefined ? end.message : plain({ code: end.code, message: end.message })));
      return;
    }
    const message = end.result?.message;
    if (message && !quiet) {
      if (!this.bubbles.has(message.id)) this.begin(message.id);
      const bubble = this.bubbles.get(message.id);
      if (bubble.drawing) cancelAnimationFrame(bubble.drawing);
      this.spoken(bubble.node, message.text);
    }
    const written = drawWritten(this.state.plan?.kind, end.result?.written, { say: (text) => !this.run && this.ask(text) });
    if (written) fillWith(this.draft, written, this.state.plan ? this.draft.firstElementChild : null);
    const asks = end.outcome?.type === "interrupt";
    if (end.outcome?.type === "cancelled") this.tell(t("plan.stopped"));
    else if (asks) this.tell(t("plan.asks", { n: this.state.plan?.items.length ?? 0 }), this.look());
    else this.tell("", null, t("plan.done"));
    this.scroll();
    this.heard.add(this.run.id);
    if (!quiet) this.tabs?.postMessage({ thread: this.thread, run: this.run.id });
  }

  look() {
    const go = () => {
      this.head.scrollIntoView({ block: "start" });
      this.head.focus({ preventScroll: true });
    };
    return h("button", { type: "button", onclick: go }, t("plan.look"));
  }

  failed(error, { decides, asked }) {
    if (!(error instanceof Problem)) console.error(error);
    this.tell("");
    if (asked) {
      asked.node.remove();
      this.input.value = asked.text;
    }
    if (error.code === "RUN_ACTIVE" || error.code === "INTERRUPT_STALE") {
      const stale = error.code === "INTERRUPT_STALE";
      const show = () => {
        unsent = this.input.value;
        this.again();
      };
      const way = h("button", { type: "button", onclick: show }, t("plan.active.way"));
      if (stale) fillWith(this.draft, h("p", { class: "notice", role: "alert" }, t("plan.stale")), h("p", null, h("a", { href: "#/goals" }, t("found.nothing.way"))));
      else this.add(h("div", { class: "notice", role: "alert" }, h("p", null, t("plan.active")), way));
      return;
    }
    const told = this.trouble(error instanceof Problem ? plain(error) : t("error.INTERNAL"));
    if (decides) this.draft.prepend(told);
    else this.add(told);
  }

  trouble(text) {
    return h("p", { class: "problem", role: "alert" }, text);
  }

  async cancel() {
    if (!this.run?.id) return;
    await call(`/v1/runs/${this.run.id}/cancel`, { method: "POST" }).catch((error) => this.tell(plain(error)));
  }

  bubble(role, text) {
    const node = h("article", { class: `bubble ${role}` }, h("h3", null, t(role === "user" ? "plan.you" : "plan.planner")), h("div", { class: "words" }));
    this.spoken(node, text);
    return node;
  }

  spoken(node, text) {
    const words = text.split("\n").filter((line) => !COMMAND.test(line.trim())).join("\n");
    fillWith(node.querySelector(".words"), markdown(words));
  }

  add(node) {
    this.log.append(node);
    this.scroll();
  }

  scroll() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  busy(is) {
    this.log.setAttribute("aria-busy", String(is));
    this.send.disabled = is;
    this.stop.hidden = !is;
    this.draft.inert = is;
    this.line.classList.toggle("busy", is);
  }

  tell(text, more = null, aloud = null) {
    fillWith(this.line, text ? h("span", null, text) : null, more);
    if (aloud) say(aloud);
  }
}
