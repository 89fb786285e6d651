/** What is seen without a command: goals and tasks, the last verdict, and the report on it. */
import * as vscode from "vscode";
import type { Findings, State } from "./findings";
import { type Goal, list, send, type Task } from "./service";
import { type Session, tell } from "./session";

const { t } = vscode.l10n;
const GOALS = "/v1/goals?sort=-priority&status=in_progress&status=pending&status=blocked";
const ICONS: Record<string, string> = {
  completed: "pass-filled", skipped: "circle-slash", failed: "error", in_review: "eye",
  in_progress: "play-circle",
};

type Node = vscode.TreeItem & { goal?: Goal };

const node = (label: string, icon: string, more: Partial<Node>): Node =>
  Object.assign(new vscode.TreeItem(label), { iconPath: new vscode.ThemeIcon(icon), ...more });

const nodeOf = (task: Task, label = task.title, icon = ICONS[task.status] ?? "circle-outline") =>
  node(label, icon, {
    tooltip: task.description ?? task.title,
    command: { title: "", command: "goals.chooseTask", arguments: [task] },
  });

const nodeOfGoal = (goal: Goal) =>
  node(goal.title, "target", {
    goal,
    description: `${Math.round(goal.progress_percentage)} %`,
    collapsibleState: vscode.TreeItemCollapsibleState.Collapsed,
  });

/** Open goals, most urgent first, each with its tasks; the task to do now stands above all. */
export class Tree implements vscode.TreeDataProvider<Node> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private abort = new AbortController();
  private readonly view = vscode.window.createTreeView("goals.tree", { treeDataProvider: this });
  readonly getTreeItem = (item: Node) => item;

  constructor(private readonly session: Session, subscriptions: vscode.Disposable[]) {
    subscriptions.push(this.view, session.onDidChange(() => this.refresh()));
  }

  /** Read everything again; what is being read is given up. */
  refresh(): void {
    this.abort.abort();
    this.abort = new AbortController();
    this.changed.fire();
  }

  async getChildren(parent?: Node): Promise<Node[]> {
    const { signal } = this.abort;
    this.view.message = undefined;
    try {
      const read = () => this.read(parent?.goal, signal);
      return await vscode.window.withProgress({ location: { viewId: "goals.tree" } }, read);
    } catch (error) {
      const quiet = signal.aborted || (error as { code?: string }).code === "AUTH_MISSING";
      this.view.message = quiet ? undefined : tell(error);
      return [];
    }
  }

  private async read(goal: Goal | undefined, signal: AbortSignal): Promise<Node[]> {
    const caller = await this.session.caller();
    const goals = goal ? [goal] : await list<Goal>(caller, GOALS, signal);
    let task: Task | null = null;
    for (const { id } of goals) {
      const path = `/v1/goals/${id}/next`;
      ({ task } = await send<{ task: Task | null }>(caller, { path, signal }));
      if (task) break;
    }
    const label = (title: string) => (goal ? title : t("Next: {0}", title));
    const next = task ? [nodeOf(task, label(task.title), "arrow-right")] : [];
    if (!goal) return [...next, ...goals.map(nodeOfGoal)];
    const tasks = await list<Task>(caller, `/v1/tasks?sort=priority&goal_id=${goal.id}`, signal);
    return [...next, ...tasks.filter(({ id }) => id !== task?.id).map((one) => nodeOf(one))];
  }
}

/** Show the verdict on the active document, or the chosen task. */
export function showStatus(item: vscode.StatusBarItem, findings: Findings, task?: Task): void {
  const state = findings.of(vscode.window.activeTextEditor?.document.uri);
  const { icon, text } = state ? verdictOf(state) : { icon: "target", text: task?.title };
  const stale = state?.stale ? [t("The code has changed since.")] : [];
  const shown = (state?.answer ?? { task }).task?.title ?? t("none");
  item.text = `$(${stale.length ? "history" : icon}) ${t("Goals: {0}", text ?? t("choose a task"))}`;
  item.tooltip = [...stale, t("Task: {0}", shown)].join("\n");
  item.command = state ? "goals.showReport" : "goals.chooseTask";
  item.show();
}

/** Return the last verdict in a few words, with its score. */
export function verdictOf({ answer: { review, task }, findings }: State) {
  const { passed, score } = review;
  const percent = score === null ? "" : ` · ${Math.round(score * 100)} %`;
  const open = task ? t("no verdict") : t("{0} findings", findings.length);
  const text = passed === null ? open : passed ? t("passed") : t("not passed");
  return { icon: passed === null ? "info" : passed ? "pass" : "error", text: text + percent };
}

// The model's words may have been led by code: nothing in them becomes a link, an image or HTML.
const plain = (text: string) => text.replace(/[!-/:-@[-`{-~]/g, "\\$&").replace(/\n/g, "\n\n");

/** Return all that an answer says as Markdown, the finding that was asked for first. */
export function reportOf(findings: Findings, uri: vscode.Uri, fingerprint: string): string {
  const state = findings.of(uri);
  if (!state) return t("Nothing was said about this file yet.");
  const { issue, answer } = findings.find(uri, fingerprint) ?? { answer: state.answer };
  const { feedback, next_step, unavailable } = answer.review;
  const title = [answer.task?.title ?? [], verdictOf({ ...state, answer }).text].flat();
  const told = [`# ${plain(title.join(": "))}`];
  if (issue) {
    const { problem, trigger, quote, rule, start_line, end_line } = issue;
    told.push(`## ${plain(problem)}`, trigger ? plain(t("When: {0}", trigger)) : "");
    told.push(quote ? quote.replace(/^/gm, "    ") : "");
    told.push(plain(t("Lines {0} to {1}, rule {2}", start_line, end_line, rule)), "---");
  }
  told.push(plain(feedback), next_step ? `## ${t("Next step")}\n\n${plain(next_step)}` : "");
  for (const { analyzer, reason } of unavailable) {
    told.push(plain(t("No answer from {0}: {1}", analyzer, reason)));
  }
  return told.filter(Boolean).join("\n\n");
}
