// A run, listened to over AG-UI until its end, however often the line is cut.

import { call, Problem, request } from "./api.js";

const SILENCE = 30_000; // the server sends something every 10 s
const WAITS = [500, 1000, 2000, 4000, 8000];
const AGAIN = new Set(["NETWORK", "STOPPING", "OVERLOADED", "DB_UNAVAILABLE"]);

// Server-sent events of a response: {id, data}; comments are left out.
async function* frames(response, onBytes) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let frame = { id: null, data: [] };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      const lines = (rest + value).split(/\r\n|\n|\r/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (frame.data.length) yield { id: frame.id, data: frame.data.join("\n") };
          frame = { id: null, data: [] };
          continue;
        }
        const colon = line.indexOf(":");
        if (colon === 0) continue;
        const name = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (name === "data") frame.data.push(text);
        else if (name === "id") frame.id = text;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function open(run, signal) {
  const headers = { Accept: "text/event-stream" };
  if (!run.id) return request("/v1/agui", { method: "POST", body: run.body, headers, signal });
  if (run.last) headers["Last-Event-ID"] = run.last;
  return request(`/v1/runs/${run.id}/events?wire=agui`, { headers, signal });
}

function pause(milliseconds, signal, wake) {
  return new Promise((resolve, reject) => {
    const end = (settle) => (reason) => {
      clearTimeout(timer);
      removeEventListener("online", go);
      wake.removeEventListener("now", go);
      signal.removeEventListener("abort", stop);
      settle(reason);
    };
    const go = end(() => resolve());
    const stop = end(() => reject(signal.reason));
    const timer = setTimeout(go, milliseconds);
    addEventListener("online", go);
    wake.addEventListener("now", go);
    signal.addEventListener("abort", stop);
  });
}

// Follow a run: `run` is {body} for one to begin, or {id} for one that there is; it keeps `id`,
// `thread` and `last`, so that it can be followed on. onEvent gets AG-UI's events, onLine tells
// "open", or "cut" with the milliseconds until the next try; an event "now" at `wake` tries at once.
// Returns the last event: RUN_FINISHED, RUN_ERROR, or {type: "RUN_GONE", run} where its events are gone.
export async function follow(run, { onEvent, onLine, signal, wake }) {
  let cuts = 0;
  for (;;) {
    const line = new AbortController();
    const close = () => line.abort(signal.reason);
    signal.addEventListener("abort", close);
    let silent;
    const heard = () => {
      clearTimeout(silent);
      silent = setTimeout(() => line.abort(new Error("silence")), SILENCE);
    };
    try {
      heard();
      const response = await open(run, line.signal);
      run.id = response.headers.get("X-Run-Id") ?? run.id;
      run.thread = response.headers.get("X-Thread-Id") ?? run.thread;
      onLine("open");
      let any = false;
      for await (const frame of frames(response, heard)) {
        const event = JSON.parse(frame.data);
        if (event.type === "RUN_ERROR" && event.code === "STOPPING") break;
        any = true;
        cuts = 0;
        onEvent(event);
        if (frame.id) run.last = frame.id;
        if (event.type === "RUN_FINISHED" || event.type === "RUN_ERROR") return event;
      }
      if (!any && run.id) {
        const now = await call(`/v1/runs/${run.id}`, { signal: line.signal });
        if (now.state !== "running") return { type: "RUN_GONE", run: now };
      }
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof Problem && !AGAIN.has(error.code)) throw error;
    } finally {
      clearTimeout(silent);
      signal.removeEventListener("abort", close);
    }
    const wait = WAITS[Math.min(cuts, WAITS.length - 1)];
    cuts += 1;
    onLine("cut", wait);
    await pause(wait, signal, wake);
  }
}

// JSON Patch (RFC 6902), as far as state deltas need it: add, replace, remove.
export function patched(document, operations) {
  const copy = structuredClone(document);
  for (const { op, path, value } of operations) {
    const keys = path.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop();
    const parent = keys.reduce((found, key) => found?.[key], copy);
    if (parent === undefined || parent === null) continue;
    if (!Array.isArray(parent)) {
      if (op === "remove") delete parent[last];
      else parent[last] = value;
    } else if (op === "remove") parent.splice(Number(last), 1);
    else if (op === "add") parent.splice(last === "-" ? parent.length : Number(last), 0, value);
    else parent[Number(last)] = value;
  }
  return copy;
}
