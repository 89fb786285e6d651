/** What is seen without a command: goals and tasks, the last verdict, and the report on it. */
import * as vscode from "vscode";
import { type Answer, type Findings, tellRun } from "./findings";
import { type Caller, type Goal, list, send, type Task } from "./service";
import { type Session, tell } from "./session";

const { t } = vscode.l10n;
const OPEN = "status=in_progress&status=pending&status=blocked";
const ICONS: Record<string, string> = {
  completed: "pass-filled", skipped: "circle-slash", failed: "error", in_review: "eye",
  in_progress: "play-circle", next: "arrow-right",
};

type Node = { goal: Goal } | { task: Task; icon: string; label: string };

/** Open goals, most urgent first, each with its tasks; the task to do now stands above all. */
export class Tree implements vscode.TreeDataProvider<Node> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private abort = new AbortController();
  private readonly view = vscode.window.createTreeView("goals.tree", { treeDataProvider: this });

  constructor(private readonly session: Session, subscriptions: vscode.Disposable[]) {
    subscriptions.push(this.view, session.onDidChange(() => this.refresh()));
  }

  /** Read everything again; what is being read is given up. */
  refresh(): void {
    this.abort.abort();
    this.abort = new AbortController();
    this.changed.fire();
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if ("goal" in node) {
      const item = new vscode.TreeItem(node.goal.title, vscode.TreeItemCollapsibleState.Collapsed);
      item.description = `${Math.round(node.goal.progress_percentage)} %`;
      item.iconPath = new vscode.ThemeIcon("target");
      return item;
    }
    const item = new vscode.TreeItem(node.label);
    item.iconPath = new vscode.ThemeIcon(ICONS[node.icon] ?? "circle-outline");
    item.tooltip = node.task.description ?? node.task.title;
    item.command = { title: "", command: "goals.chooseTask", arguments: [node.task] };
    return item;
  }

  async getChildren(node?: Node): Promise<Node[]> {
    const { signal } = this.abort;
    this.view.message = undefined;
    try {
      const caller = await this.session.caller();
      return await vscode.window.withProgress({ location: { viewId: "goals.tree" } }, () =>
        node && "goal" in node ? this.tasks(caller, node.goal, signal) : this.top(caller, signal),
      );
    } catch (error) {
      const quiet = signal.aborted || (error as { code?: string }).code === "AUTH_MISSING";
      this.view.message = quiet ? undefined : tell(error);
      return [];
    }
  }

  private async top(caller: Caller, signal: AbortSignal): Promise<Node[]> {
    const goals = await list<Goal>(caller, `/v1/goals?sort=-priority&${OPEN}`, signal);
    const nodes = goals.map((goal) => ({ goal }));
    for (const { id } of goals) {
      const task = await this.next(caller, id, signal);
      if (task) {
        return [{ task, icon: "next", label: t("Next: {0}", task.title) }, ...nodes];
      }
    }
    return nodes;
  }

  private async tasks(caller: Caller, { id }: Goal, signal: AbortSignal): Promise<Node[]> {
    const tasks = await list<Task>(caller, `/v1/tasks?sort=priority&goal_id=${id}`, signal);
    const next = (await this.next(caller, id, signal))?.id;
    const nodes = tasks.map((task) => ({ task, icon: task.status, label: task.title }));
    const first = nodes.filter(({ task }) => task.id === next);
    return [...first.map((node) => ({ ...node, icon: "next" })), ...nodes.filter((one) => !first.includes(one))];
  }

  private async next(caller: Caller, goal: string, signal: AbortSignal): Promise<Task | null> {
    const path = `/v1/goals/${goal}/next`;
    return (await send<{ task: Task | null }>(caller, { path, signal })).task;
  }
}

/** Show the verdict on the active document, or the chosen task. */
export function showStatus(
  item: vscode.StatusBarItem, findings: Findings, task: Task | undefined, busy: boolean,
): void {
  const state = findings.of(vscode.window.activeTextEditor?.document.uri);
  const verdict = state && verdictOf(state.answer, state.findings.length);
  const icon = busy ? "sync~spin" : state?.stale ? "history" : (verdict?.icon ?? "target");
  const told = verdict?.text ?? task?.title ?? t("choose a task");
  item.text = `$(${icon}) ${t("Goals: {0}", told)}`;
  item.tooltip = [
    state?.stale ? t("The code has changed since.") : "",
    t("Task: {0}", (state?.answer.task ?? task)?.title ?? t("none")),
  ].filter(Boolean).join("\n");
  const failed = state?.answer.review.passed === false && !state.stale;
  item.backgroundColor = failed ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
  item.command = state ? "goals.showReport" : "goals.chooseTask";
  item.show();
}

/** Return a verdict in a few words, with its score. */
export function verdictOf({ review, task }: Answer, found: number) {
  const { passed, score } = review;
  const percent = score === null ? "" : ` ${Math.round(score * 100)} %`;
  if (passed === null) {
    const text = task ? t("no verdict") : t("{0} findings", found);
    return { icon: "info", text: text + percent };
  }
  return passed
    ? { icon: "pass", text: t("passed") + percent }
    : { icon: "error", text: t("not passed") + percent };
}

// The model's words may have been led by code: nothing in them becomes a link, an image or HTML.
const plain = (text: string) => text.replace(/[^\p{L}\p{N}\s]/gu, "\\$&").replace(/\n/g, "\n\n");

function fenced(code: string): string {
  const ticks = "`".repeat(Math.max(3, ...(code.match(/`+/g) ?? []).map((run) => run.length + 1)));
  return `${ticks}\n${code}\n${ticks}`;
}

/** Return all that an answer says as Markdown, the finding that was asked for first. */
export function reportOf(findings: Findings, uri: vscode.Uri, fingerprint: string): string {
  const state = findings.of(uri);
  if (!state) {
    return t("Nothing was said about this file yet.");
  }
  const asked = findings.find(uri, fingerprint);
  const { answer } = asked ?? state;
  const { feedback, next_step, runs, unavailable } = answer.review;
  const paragraphs = [`# ${plain(verdictOf(answer, state.findings.length).text)}`];
  if (asked) {
    const { problem, trigger, quote, rule, start_line, end_line } = asked.issue;
    paragraphs.push(`## ${plain(problem)}`);
    paragraphs.push(plain(t("Lines {0} to {1}, rule {2}", start_line, end_line, rule)));
    paragraphs.push(trigger ? plain(t("When: {0}", trigger)) : "", quote ? fenced(quote) : "");
  }
  paragraphs.push(plain(feedback));
  paragraphs.push(next_step ? `**${t("Next step")}**\n\n${plain(next_step)}` : "");
  paragraphs.push(...runs.map((run) => `- ${run.status === "pass" ? "✓" : "✗"} ${plain(tellRun(run))}`));
  paragraphs.push(...unavailable.map((one) => plain(t("No answer from {0}: {1}", one.analyzer, one.reason))));
  return paragraphs.filter(Boolean).join("\n\n");
}
