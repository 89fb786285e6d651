/** The extension's commands, and what puts its parts together. */
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import * as vscode from "vscode";
import { Findings, type Sent, take } from "./findings";
import { registerMcpServer } from "./mcp";
import { HINTS, list, type Review, send, type Task } from "./service";
import { Session, setting, tell } from "./session";
import { reportOf, showStatus, Tree, verdictOf } from "./views";

const { t } = vscode.l10n;
const OPEN = "status=todo&status=in_progress&status=failed&status=in_review";
const REPORT = "goals-report";
const SAVE_MS = 50;
/** What is checked on save: code in a language that the analyzers know, and no other file. */
const CHECKED =
  /^(python|(java|type|shell)script(react)?|java|kotlin|c(pp|sharp)?|go|rust|php|ruby|sql)$/;

export function activate(context: vscode.ExtensionContext): void {
  const { commands, window, workspace } = vscode;
  const { subscriptions, workspaceState } = context;
  const session = new Session(context);
  const findings = new Findings(subscriptions, () => redraw());
  const tree = new Tree(session, subscriptions);
  const status = window.createStatusBarItem("goals.status", vscode.StatusBarAlignment.Left);
  const [texts, changed] = [new Map<string, string>(), new vscode.EventEmitter<vscode.Uri>()];
  const checks = new Map<string, AbortController>();
  const chosen = () => workspaceState.get<Task>("task");
  const redraw = () => showStatus(status, findings, chosen());

  async function chooseTask(given?: Task): Promise<Task | undefined> {
    let task = given;
    if (!task && (await session.consent())) {
      const found = await session.ask(t("Reading your tasks"), (caller, signal) =>
        list<Task>(caller, `/v1/tasks?sort=priority&${OPEN}`, signal),
      );
      const items = found?.map((one) => ({ label: one.title, detail: one.description ?? "", one }));
      const title = found?.length ? t("Which task does your code solve?") : t("You have no open task");
      task = items && (await window.showQuickPick(items, { title, matchOnDetail: true }))?.one;
    }
    if (task) await workspaceState.update("task", task);
    redraw();
    return task;
  }

  /** Send the active file or its selection: as the task's solution, or just for feedback. */
  async function judge(part: "file" | "selection", withTask: boolean): Promise<void> {
    const { document, selection } = window.activeTextEditor ?? {};
    const sent = document && take(document, part === "selection" ? selection : undefined);
    const none = t("There is no code to send: open a file or select some lines.");
    if (!sent?.code) return void window.showWarningMessage(none);
    const size = t("{0} characters of {1}", sent.code.length, nameOf(sent));
    const agreed = await session.consent(size);
    const task = agreed && withTask ? (chosen() ?? (await chooseTask())) : undefined;
    if (agreed && (task || !withTask)) await submit(sent, task, setting("hint"));
  }

  async function submit(sent: Sent, task: Task | undefined, hint: string): Promise<void> {
    const request = { ...judgement(sent, task, "full", hint), key: randomUUID() };
    const title = task ? t("Validating for {0}", task.title) : t("Asking for feedback");
    const review = await session.ask(title, (caller, signal) =>
      send<Review>(caller, { ...request, signal }),
    );
    if (!review) return;
    findings.put({ review, sent, task, hint });
    tree.refresh();
    const told = t("Goals: {0}", verdictOf(findings.of(sent.document.uri)!).text);
    const wanted = await window.showInformationMessage(told, t("Show feedback"));
    if (wanted) await showReport(sent.document.uri);
  }

  async function showReport(uri = window.activeTextEditor?.document.uri, finding = "") {
    if (!uri) return;
    const report = vscode.Uri.from({ scheme: REPORT, path: `${uri.path}.md` });
    texts.set(report.path, reportOf(findings, uri, finding));
    changed.fire(report);
    await commands.executeCommand("markdown.showPreviewToSide", report);
  }

  async function nextHint(uri: vscode.Uri, fingerprint: string): Promise<void> {
    const answer = findings.find(uri, fingerprint)?.answer;
    const hint = answer && HINTS[HINTS.indexOf(answer.hint) + 1];
    if (hint) await submit(answer.sent, answer.task, hint);
  }

  async function dismiss(uri: vscode.Uri, fingerprint: string): Promise<void> {
    const { issue, answer } = findings.find(uri, fingerprint) ?? {};
    const box = { title: issue?.problem ?? "", prompt: t("Why is this no problem here?") };
    const reason = issue && (await window.showInputBox(box))?.trim();
    if (!reason) return;
    const path = `/v1/snapshots/${answer?.review.code_snapshot_id}/dismissals`;
    const request = { path, body: { fingerprint, reason }, key: randomUUID() };
    const done = await session.ask(t("Dismissing"), (caller, signal) =>
      send(caller, { ...request, signal }),
    );
    if (done) findings.drop(uri, fingerprint);
  }

  /** Look at a saved file without a model, a moment later; the check before is given up. */
  function checkSoon(document: vscode.TextDocument): void {
    checks.get(document.uri.path)?.abort();
    const wanted = setting("checkOnSave") && session.hasConsent;
    if (!wanted || !CHECKED.test(document.languageId)) return;
    const abort = new AbortController();
    checks.set(document.uri.path, abort);
    setTimeout(() => abort.signal.aborted || check(document, abort.signal), SAVE_MS);
  }

  async function check(document: vscode.TextDocument, signal: AbortSignal): Promise<void> {
    const sent = take(document);
    const { task, hint = setting<string>("hint") } = findings.of(document.uri)?.answer ?? {};
    const options = { location: vscode.ProgressLocation.Window, title: t("Goals: checking") };
    const request = { ...judgement(sent, task, "facts", hint), signal };
    try {
      const caller = await session.caller();
      const review = await window.withProgress(options, () => send<Review>(caller, request));
      findings.put({ review, sent, task, hint });
    } catch (error) {
      const told = `$(warning) ${t("Goals: {0}", tell(error))}`;
      if (!signal.aborted) window.setStatusBarMessage(told, 10_000);
    }
  }

  const actions = {
    signIn: () => session.signIn(), signOut: () => session.signOut(),
    validateFile: () => judge("file", true), validateSelection: () => judge("selection", true),
    askFeedback: () => judge("file", false), refresh: () => tree.refresh(),
    explain: showReport, chooseTask, showReport, nextHint, dismiss,
  };
  for (const [name, action] of Object.entries(actions)) {
    subscriptions.push(commands.registerCommand(`goals.${name}`, action));
  }
  subscriptions.push(
    status,
    workspace.registerTextDocumentContentProvider(REPORT, {
      onDidChange: changed.event,
      provideTextDocumentContent: ({ path }) => texts.get(path),
    }),
    workspace.onDidSaveTextDocument(checkSoon),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("goals")) void session.tell();
    }),
    window.onDidChangeActiveTextEditor(redraw),
    new vscode.Disposable(() => checks.forEach((abort) => abort.abort())),
  );
  registerMcpServer(session, subscriptions);
  redraw();
  void session.tell();
}

/** The file's name in its folder; of a file elsewhere its last part, never its whole path. */
function nameOf({ document: { uri } }: Sent): string {
  const inFolder = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  return inFolder ? vscode.workspace.asRelativePath(uri, false) : posix.basename(uri.path);
}

function judgement(sent: Sent, task: Task | undefined, mode: Review["mode"], hint: string) {
  const { code, version: document_version } = sent;
  const [file_path, programming_language] = [nameOf(sent), sent.document.languageId];
  const body = { file_path, programming_language, code, document_version, mode, hint };
  return { path: task ? `/v1/tasks/${task.id}/validate` : "/v1/feedback", body };
}
