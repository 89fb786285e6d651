/** What the service has said on each document, as diagnostics that know when they are outdated. */
import { createHash } from "node:crypto";
import * as vscode from "vscode";
import { HINTS, type Issue, type Review, type Run, type Task } from "./service";

const { t } = vscode.l10n;

const LOOK_AGAIN_MS = 250;
const MAX_SHOWN = 200;
const { Error, Warning, Information } = vscode.DiagnosticSeverity;
const SEVERITIES = { high: Error, medium: Warning, low: Information };

/** What was sent of a document: all of it, or whole lines from `firstLine` (0-based) on. */
export type Sent = {
  document: vscode.TextDocument; code: string; firstLine: number; version: number;
  sha256: string; // of the whole document, in UTF-8
};
/** An answer on a document, and what it answers. */
export type Answer = { review: Review; sent: Sent; task: Task | undefined; hint: string };
/** A finding belongs to the answer that told it: one of the model outlives a later check. */
type Finding = { issue: Issue; answer: Answer; diagnostic?: vscode.Diagnostic };
export type State = {
  document: vscode.TextDocument; answer: Answer; findings: Finding[]; stale: boolean;
};

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Return what of a document is sent; of a selection its whole lines, without their margin. */
export function take(document: vscode.TextDocument, selection?: vscode.Range): Sent {
  const code = document.getText();
  const sent = { document, code, firstLine: 0, version: document.version, sha256: sha256(code) };
  if (selection === undefined) return sent;
  const { start, end } = selection;
  const last = end.character === 0 && end.line > start.line ? end.line - 1 : end.line;
  const count = last - start.line + 1;
  const lines = Array.from({ length: count }, (_, i) => document.lineAt(start.line + i).text);
  const full = lines.filter((line) => line.trim());
  let margin = /^[ \t]*/.exec(full[0] ?? "")![0];
  while (!full.every((line) => line.startsWith(margin))) margin = margin.slice(0, -1);
  const part = lines.map((line) => (line.trim() ? line.slice(margin.length) : "")).join("\n");
  return { ...sent, firstLine: start.line, code: full.length > 0 ? `${part}\n` : "" };
}

/** Return the range of 1-based inclusive lines of what was sent, without the space around them. */
export function rangeOf(document: vscode.TextDocument, issue: Issue, firstLine: number) {
  const clamp = (line: number) => Math.min(Math.max(line, 0), document.lineCount - 1);
  const first = clamp(issue.start_line - 1 + firstLine);
  const last = Math.max(first, clamp(issue.end_line - 1 + firstLine));
  const from = document.lineAt(first).firstNonWhitespaceCharacterIndex;
  return new vscode.Range(first, from, last, document.lineAt(last).text.trimEnd().length);
}

function tellRun({ status, expression, expected, got, detail }: Run): string {
  const failed = t("{0}: expected {1}, got {2}", expression, expected ?? "", got ?? "");
  const told = status === "fail" ? failed : `${expression}: ${detail ?? status}`;
  return told.length > MAX_SHOWN ? `${told.slice(0, MAX_SHOWN)}…` : told;
}

/** A failed run as an issue: it has no lines, so it stands where the name it calls comes first. */
function issueOf(run: Run, code: string): Issue {
  const name = /([\p{L}_][\p{L}\p{N}_]*)\s*\(/u.exec(run.expression)?.[1];
  const word = new RegExp(`(?<![\\p{L}\\p{N}_])${name ?? "^"}(?![\\p{L}\\p{N}_])`, "u");
  const line = Math.max(code.split(/\r\n|\n|\r/).findIndex((one) => word.test(one)), 0) + 1;
  return {
    start_line: line, end_line: line, kind: "run", source: "run", rule: `run/${run.status}`,
    fingerprint: `run ${run.expression}`, severity: run.strength === "strong" ? "high" : "low",
    problem: tellRun(run), quote: null, trigger: null,
  };
}

export class Findings implements vscode.CodeActionProvider {
  private readonly states = new Map<string, State>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly collection = vscode.languages.createDiagnosticCollection("goals");

  constructor(subscriptions: vscode.Disposable[], private readonly onChange: () => void) {
    const { workspace, languages } = vscode;
    subscriptions.push(
      this.collection,
      workspace.onDidChangeTextDocument(({ document }) => this.lookAgain(document)),
      workspace.onDidOpenTextDocument((document) => this.lookAgain(document)),
      workspace.onDidDeleteFiles(({ files }) => files.forEach(this.forget)),
      languages.registerCodeActionsProvider({ scheme: "*" }, this),
    );
  }

  /** Show an answer, unless a newer version of the document has got its own already. */
  put(answer: Answer): void {
    const { review, sent } = answer;
    const { document, version } = sent;
    const key = document.uri.toString();
    const state = this.states.get(key);
    if (state?.answer.sent.document === document && version < state.answer.sent.version) return;
    const older = review.mode === "facts" ? (state?.findings ?? []) : [];
    const failed = review.runs.filter(({ status }) => /fail|error|timeout/.test(status));
    const issues = [...failed.map((run) => issueOf(run, sent.code)), ...review.issues];
    const findings = [
      ...issues.filter(({ kind }) => kind !== "celebratory").map((issue) => ({ issue, answer })),
      ...older.filter(({ issue }) => issue.source === "model"),
    ];
    this.states.set(key, { document, answer, findings, stale: false });
    this.show(document);
  }

  /** Return the last answer on a document, and whether the document has changed since. */
  readonly of = (uri?: vscode.Uri) => uri && this.states.get(uri.toString());

  readonly find = (uri: vscode.Uri, fingerprint: string) =>
    this.of(uri)?.findings.find(({ issue }) => issue.fingerprint === fingerprint);

  /** Take a dismissed finding out of a document. */
  drop(uri: vscode.Uri, fingerprint: string): void {
    const state = this.of(uri);
    if (!state) return;
    state.findings = state.findings.filter(({ issue }) => issue.fingerprint !== fingerprint);
    this.show(state.document);
  }

  provideCodeActions(
    { uri }: vscode.TextDocument, _range: vscode.Range, context: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    const state = this.of(uri);
    const asked = (state?.findings ?? []).filter(({ diagnostic }) =>
      context.diagnostics.some(
        ({ message, range }) => diagnostic?.message === message && diagnostic.range.isEqual(range),
      ),
    );
    return asked.flatMap(({ issue, answer, diagnostic }) => {
      const { mode, code_snapshot_id: stored } = answer.review;
      const offer = (title: string, command: string) => {
        const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
        action.command = { title, command, arguments: [uri, issue.fingerprint] };
        action.diagnostics = [diagnostic!];
        return action;
      };
      const more = mode === "full" && !state?.stale && answer.hint !== HINTS.at(-1);
      const known = stored !== null && issue.source !== "run";
      return [
        offer(t("Goals: explain"), "goals.explain"),
        ...(more ? [offer(t("Goals: next hint"), "goals.nextHint")] : []),
        ...(known ? [offer(t("Goals: dismiss with a reason"), "goals.dismiss")] : []),
      ];
    });
  }

  private lookAgain(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    if (!this.states.has(key)) return;
    clearTimeout(this.timers.get(key));
    this.timers.set(key, setTimeout(() => this.show(document), LOOK_AGAIN_MS));
  }

  private readonly forget = (uri: vscode.Uri) =>
    this.states.delete(uri.toString()) && this.collection.delete(uri);

  private show(document: vscode.TextDocument): void {
    const state = this.of(document.uri);
    if (!state) return;
    const now = sha256(document.getText());
    const isStale = ({ review, sent }: Answer) => {
      const same = document === sent.document && document.version === review.document_version;
      return (!same && now !== sent.sha256) || sha256(sent.code) !== review.sha256;
    };
    for (const finding of state.findings) {
      const { problem, trigger, severity, rule } = finding.issue;
      const stale = isStale(finding.answer);
      const text = trigger ? `${problem} (${trigger})` : problem;
      const range = rangeOf(document, finding.issue, finding.answer.sent.firstLine);
      const told = stale ? t("Outdated, the code has changed: {0}", text) : text;
      const level = stale ? Information : SEVERITIES[severity];
      finding.diagnostic = new vscode.Diagnostic(range, told, level);
      finding.diagnostic.source = "Goals";
      finding.diagnostic.code = rule;
    }
    state.document = document;
    state.stale = isStale(state.answer);
    this.collection.set(document.uri, state.findings.map(({ diagnostic }) => diagnostic!));
    this.onChange();
  }
}
