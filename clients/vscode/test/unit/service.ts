/** A service of the tests: it remembers what it was asked and answers as it is told. */
import { createHash } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo } from "node:net";

export type Asked = {
  method: string; path: string; token: string; key: string | undefined;
  body: Record<string, any>; closed: Promise<void>;
};
type Reply = { status?: number; body: unknown; headers?: Record<string, string>; held?: boolean };

export const TASK = {
  id: "tsk_1", title: "Doblar", description: "doble(4) == 8", status: "todo",
};
export const GOAL = { id: "gol_1", title: "Aprender", status: "pending", progress_percentage: 25 };
export const ISSUE = {
  start_line: 2, end_line: 2, kind: "fact", source: "ruff", rule: "ruff/F841",
  fingerprint: "0f3a9c5d7e1b2468", severity: "low", problem: "`unused` is never used",
  quote: "unused = 1", trigger: null,
};
export const REMARK = {
  ...ISSUE, start_line: 3, end_line: 3, source: "model", kind: "essential", rule: "review/essential",
  fingerprint: "1111111111111111", severity: "high", problem: "It adds", trigger: "always",
};
export const RUN = {
  expression: "doble(4)", status: "fail", expected: "8", got: "5", detail: null, strength: "strong",
};

export class Service {
  readonly asked: Asked[] = [];
  /** What comes next, before the usual answers. */
  readonly replies: Reply[] = [];
  review: Record<string, unknown> = {};
  address = "";
  private readonly server = http.createServer((request, response) => {
    let text = "";
    const closed = new Promise<void>((end) => response.once("close", end));
    request.on("data", (part) => (text += part)).on("end", () => {
      const asked: Asked = {
        method: request.method!,
        path: request.url!,
        token: request.headers.authorization!,
        key: request.headers["idempotency-key"] as string | undefined,
        body: text ? JSON.parse(text) : {},
        closed,
      };
      this.asked.push(asked);
      const reply = this.replies.shift() ?? { body: this.usual(asked) };
      if (!reply.held) {
        response.writeHead(reply.status ?? 200, reply.headers);
        response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
      }
    });
  });

  async open(): Promise<this> {
    await new Promise<void>((ready) => this.server.listen(0, "127.0.0.1", ready));
    this.address = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private usual({ path, body }: Asked): unknown {
    if (/validate|feedback/.test(path)) {
      const full = body.mode === "full";
      return {
        mode: body.mode,
        code_snapshot_id: full ? "snp_1" : null,
        document_version: body.document_version,
        sha256: createHash("sha256").update(body.code).digest("hex"),
        passed: false,
        score: 0,
        runs: [RUN],
        issues: full ? [ISSUE, REMARK] : [ISSUE],
        unavailable: [],
        feedback: "Look at the sum.",
        next_step: null,
        ...this.review,
      };
    }
    if (path.includes("/next")) return { task: TASK, reason: null };
    if (path.startsWith("/v1/goals")) return { items: [GOAL], next_cursor: null };
    if (path.startsWith("/v1/tasks")) {
      const second = path.includes("cursor=two");
      const items = second ? [TASK] : [{ ...TASK, id: "tsk_2", title: "Sumar" }];
      return { items, next_cursor: second ? null : "two" };
    }
    return { id: "dsm_1" };
  }
}
