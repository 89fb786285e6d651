/** The service's HTTP interface: requests that can be cancelled, and its problems as errors. */
import * as http from "node:http";
import * as https from "node:https";

export const HINTS = ["nudge", "concept", "pseudocode", "analogue"];

export type Issue = {
  start_line: number; end_line: number; kind: string; source: string; rule: string;
  fingerprint: string; severity: "low" | "medium" | "high"; problem: string;
  quote: string | null; trigger: string | null;
};
export type Run = {
  expression: string; status: "pass" | "fail" | "error" | "timeout" | "not_runnable";
  expected: string | null; got: string | null; detail: string | null; strength: "strong" | "weak";
};
export type Review = {
  mode: "full" | "facts"; code_snapshot_id: string | null; document_version: number | null;
  sha256: string; passed: boolean | null; score: number | null; runs: Run[]; issues: Issue[];
  unavailable: { analyzer: string; reason: string }[]; feedback: string; next_step: string | null;
};
export type Task = { id: string; title: string; description: string | null; status: string };
export type Goal = { id: string; title: string; status: string; progress_percentage: number };
type Page<T> = { items: T[]; next_cursor: string };
type Told = { code?: string; title?: string; detail?: string; errors?: Told[]; field?: string };

/** A refusal by RFC 9457; `status` 0 means that nobody answered. */
export class Problem extends Error {
  constructor(
    readonly status: number, readonly code: string,
    readonly title = "", detail = "", readonly retryAfter?: string,
  ) {
    super(detail);
  }
}

/** Where requests go, and as whom. */
export type Caller = { readonly address: string; readonly token: string };

/** Without a body it is a GET; the same key makes a second attempt safe. */
export type Request = { path: string; signal: AbortSignal; body?: unknown; key?: string };

/** Return the answer of the service. Throws Problem, or an AbortError where it was cancelled. */
export async function send<T>(caller: Caller, request: Request): Promise<T> {
  const { response, text } = await exchange(caller, request);
  const [status, answer] = [response.statusCode ?? 0, parse(text)];
  if (status >= 200 && status < 300 && answer) return answer as T;
  const { code = `HTTP_${status}`, title = http.STATUS_CODES[status], detail = "" } = answer ?? {};
  const fields = (answer?.errors ?? []).map((one) => `${one.field}: ${one.detail}`);
  const told = [detail, ...fields].filter(Boolean).join("; ");
  throw new Problem(status, code, title, told, response.headers["retry-after"]);
}

/** Return the rows of all pages of a list; `path` has a query already. */
export async function list<T>(caller: Caller, path: string, signal: AbortSignal): Promise<T[]> {
  const rows: T[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const from = cursor && `&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<T> = await send(caller, { path: `${path}&limit=100${from}`, signal });
    rows.push(...page.items);
    cursor = page.next_cursor;
  }
  return rows;
}

function parse(text: string): Told | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Not fetch: it gives up after five minutes, and a local model may take longer.
function exchange({ address, token }: Caller, { path, signal, body, key }: Request) {
  return new Promise<{ response: http.IncomingMessage; text: string }>((resolve, reject) => {
    const fail = (error: Error) =>
      reject(signal.aborted ? error : new Problem(0, "UNREACHABLE", "", error.message));
    const headers = {
      Accept: "application/json", Authorization: `Bearer ${token}`, Connection: "close",
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(key !== undefined && { "Idempotency-Key": key }),
    };
    try {
      const url = new URL(address + path);
      const { request } = url.protocol === "https:" ? https : http;
      const method = body === undefined ? "GET" : "POST";
      const sent = request(url, { method, headers, signal }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("error", fail).on("end", () => resolve({ response, text }));
      });
      sent.on("error", fail).end(body === undefined ? undefined : JSON.stringify(body));
    } catch (error) {
      fail(error as Error);
    }
  });
}
