// Calls of the API: JSON in, JSON out, and every failure a Problem with a stable code.

import { session } from "./session.js";

export class Problem extends Error {
  constructor(status, body, retryAfter = null) {
    super(body.detail ?? body.title ?? String(status));
    this.status = status;
    this.code = body.code ?? "INTERNAL";
    this.fields = body.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

export const signedOut = new EventTarget();

// fetch → a good response; throws Problem, or the AbortError of `signal`.
export async function request(path, { method = "GET", body, form, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  const asked = session.token;
  if (asked) sent.Authorization = `Bearer ${asked}`;
  let content;
  if (form) content = new URLSearchParams(form);
  else if (body !== undefined) {
    content = JSON.stringify(body);
    sent["Content-Type"] ??= "application/json";
  }
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: content, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { code: "NETWORK", detail: String(error) });
  }
  if (response.ok) return response;
  const problem = new Problem(
    response.status,
    await response.json().catch(() => ({})),
    Number(response.headers.get("Retry-After")) || null,
  );
  if (response.status === 401 && asked && asked === session.token) {
    signedOut.dispatchEvent(new CustomEvent("signed-out", { detail: problem.code }));
  }
  throw problem;
}

export async function call(path, options) {
  const response = await request(path, options);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw new Problem(0, { code: "NETWORK", detail: String(error) });
  }
}

// All pages of a list, up to `most` items.
export async function list(path, { signal, most = 1000 } = {}) {
  const items = [];
  let cursor = null;
  do {
    const glue = path.includes("?") ? "&" : "?";
    const page = await call(`${path}${glue}limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}
