/** The extension's commands, and what puts its parts together. */
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import * as vscode from "vscode";
import { Findings, type Sent, take } from "./findings";
import { registerMcpServer } from "./mcp";
import { HINTS, list, type Review, send, type Task } from "./service";
import { ask, Session, setting, tell } from "./session";
import { reportOf, showStatus, Tree, verdictOf } from "./views";

const { t } = vscode.l10n;
const OPEN = "status=todo&status=in_progress&status=failed&status=in_review";
const REPORT = "goals-report";
const SAVE_MS = 100;
/** What is checked on save: code in a language that the analyzers know, and no other file. */
const CHECKED =
  /^(python|(java|type)script(react)?|java|go|rust|c|cpp|csharp|php|ruby|shellscript|kotlin|html|css|sql)$/;

export function activate(context: vscode.ExtensionContext): void {
  const { commands, window, workspace } = vscode;
  const { subscriptions, workspaceState } = context;
  const session = new Session(context);
  const findings = new Findings(subscriptions);
  const tree = new Tree(session, subscriptions);
  const status = window.createStatusBarItem("goals.status", vscode.StatusBarAlignment.Left);
  const reports = new vscode.EventEmitter<vscode.Uri>();
  const checks = new Map<string, AbortController>();
  const chosen = () => workspaceState.get<Task>("task");
  let busy = 0;
  const redraw = () => showStatus(status, findings, chosen(), busy > 0);

  async function chooseTask(given?: Task): Promise<Task | undefined> {
    let task = given;
    if (!task && (await session.consent())) {
      const found = await ask(t("Reading your tasks"), async (signal) =>
        list<Task>(await session.caller(), `/v1/tasks?sort=priority&${OPEN}`, signal),
      );
      const items = (found ?? []).map((one) => ({
        label: one.title, description: one.status, detail: one.description ?? "", task: one,
      }));
      if (found?.length === 0) {
        window.showWarningMessage(t("You have no open task."));
      } else if (found) {
        const options = { title: t("The task that your code solves"), matchOnDetail: true };
        task = (await window.showQuickPick(items, options))?.task;
      }
    }
    if (task) {
      await workspaceState.update("task", task);
      redraw();
    }
    return task;
  }

  async function judge(kind: "file" | "selection" | "feedback"): Promise<void> {
    const editor = window.activeTextEditor;
    const sent = editor && take(editor.document, kind === "selection" ? editor.selection : undefined);
    if (!sent?.code) {
      window.showWarningMessage(t("There is no code to send: open a file or select some lines."));
      return;
    }
    const size = t("{0} characters of {1} ({2})", sent.code.length, nameOf(sent), languageOf(sent));
    if (!(await session.consent(size))) {
      return;
    }
    const task = kind === "feedback" ? undefined : (chosen() ?? (await chooseTask()));
    if (task || kind === "feedback") {
      await submit(sent, task, setting("hint"));
    }
  }

  async function submit(sent: Sent, task: Task | undefined, hint: string): Promise<void> {
    const key = randomUUID();
    const title = task ? t("Validating {0}: {1}", nameOf(sent), task.title) : t("Asking for feedback");
    busy += 1;
    redraw();
    const review = await ask(title, async (signal) =>
      send<Review>(await session.caller(), { ...request(sent, task, "full", hint), key, signal }),
    );
    busy -= 1;
    redraw();
    if (review) {
      findings.put({ review, sent, task, hint });
      tree.refresh();
      await offerReport(sent.document.uri);
    }
  }

  async function offerReport(uri: vscode.Uri): Promise<void> {
    const { answer, findings: found } = findings.of(uri)!;
    const told = t("Goals: {0}", verdictOf(answer, found.length).text);
    const [report, problems] = [t("Show feedback"), t("Show problems")];
    const next = await window.showInformationMessage(told, report, problems);
    if (next === report) {
      await showReport(uri);
    } else if (next === problems) {
      await commands.executeCommand("workbench.actions.view.problems");
    }
  }

  async function showReport(uri = window.activeTextEditor?.document.uri, finding = ""): Promise<void> {
    if (uri) {
      const path = `/${posix.basename(uri.path)}.md`;
      const query = JSON.stringify([uri.toString(), finding]);
      const report = vscode.Uri.from({ scheme: REPORT, path, query });
      reports.fire(report);
      await commands.executeCommand("markdown.showPreviewToSide", report);
    }
  }

  async function nextHint(uri: vscode.Uri, fingerprint: string): Promise<void> {
    const answer = findings.find(uri, fingerprint)?.answer;
    const hint = answer && HINTS[HINTS.indexOf(answer.hint) + 1];
    if (answer && hint) {
      await submit(answer.sent, answer.task, hint);
    }
  }

  async function dismiss(uri: vscode.Uri, fingerprint: string): Promise<void> {
    const finding = findings.find(uri, fingerprint);
    const title = t("Dismiss: {0}", finding?.issue.problem ?? "");
    const prompt = t("Why is it no problem here?");
    const reason = finding && (await window.showInputBox({ title, prompt }))?.trim();
    if (reason) {
      const path = `/v1/snapshots/${finding.answer.review.code_snapshot_id}/dismissals`;
      const request = { path, body: { fingerprint, reason }, key: randomUUID() };
      const done = await ask(t("Dismissing"), async (signal) =>
        send(await session.caller(), { ...request, signal }),
      );
      if (done) {
        findings.drop(uri, fingerprint);
      }
    }
  }

  async function toggleCheckOnSave(): Promise<void> {
    const wanted = !setting("checkOnSave");
    if (!wanted || (await session.consent())) {
      await workspace.getConfiguration("goals").update("checkOnSave", wanted, true);
      window.showInformationMessage(wanted ? t("Check on save is on.") : t("Check on save is off."));
    }
  }

  /** Look at a saved file without a model, a moment later; the check before is given up. */
  function checkSoon(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    checks.get(key)?.abort();
    if (setting("checkOnSave") && session.hasConsent && CHECKED.test(document.languageId)) {
      const abort = new AbortController();
      checks.set(key, abort);
      setTimeout(() => abort.signal.aborted || check(take(document), abort.signal), SAVE_MS);
    }
  }

  async function check(sent: Sent, signal: AbortSignal): Promise<void> {
    const { task, hint } = findings.of(sent.document.uri)?.answer ?? { hint: setting<string>("hint") };
    const options = { location: vscode.ProgressLocation.Window, title: t("Goals: checking") };
    try {
      const caller = await session.caller();
      const review = await window.withProgress(options, () =>
        send<Review>(caller, { ...request(sent, task, "facts", hint), signal }),
      );
      findings.put({ review, sent, task, hint });
    } catch (error) {
      if (!signal.aborted) {
        window.setStatusBarMessage(`$(warning) ${t("Goals: {0}", tell(error))}`, 10_000);
      }
    }
  }

  const actions = {
    signIn: () => session.signIn(),
    signOut: () => session.signOut(),
    validateFile: () => judge("file"),
    validateSelection: () => judge("selection"),
    askFeedback: () => judge("feedback"),
    refresh: () => tree.refresh(),
    explain: showReport,
    chooseTask, showReport, nextHint, dismiss, toggleCheckOnSave,
  };
  const names = Object.entries(actions);
  subscriptions.push(
    status,
    ...names.map(([name, action]) => commands.registerCommand(`goals.${name}`, action)),
    workspace.registerTextDocumentContentProvider(REPORT, {
      onDidChange: reports.event,
      provideTextDocumentContent: ({ query }) => {
        const [uri, finding] = JSON.parse(query) as [string, string];
        return reportOf(findings, vscode.Uri.parse(uri), finding);
      },
    }),
    workspace.onDidSaveTextDocument(checkSoon),
    workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("goals.url") && session.tell()),
    window.onDidChangeActiveTextEditor(redraw),
    findings.onDidChange(redraw),
    new vscode.Disposable(() => checks.forEach((abort) => abort.abort())),
  );
  registerMcpServer(session, subscriptions);
  redraw();
  void session.tell();
}

const languageOf = ({ document }: Sent) => document.languageId;

/** The file's name in its folder; of a file elsewhere its last part, never a path of the machine. */
function nameOf({ document: { uri } }: Sent): string {
  const name = vscode.workspace.asRelativePath(uri, false);
  return vscode.workspace.getWorkspaceFolder(uri) ? name : posix.basename(uri.path);
}

function request(sent: Sent, task: Task | undefined, mode: Review["mode"], hint: string) {
  return {
    path: task ? `/v1/tasks/${encodeURIComponent(task.id)}/validate` : "/v1/feedback",
    body: {
      file_path: nameOf(sent),
      programming_language: languageOf(sent),
      code: sent.code,
      document_version: sent.version,
      mode,
      hint,
    },
  };
}
