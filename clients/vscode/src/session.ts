/** Who is signed in where, what the user has agreed to send there, and what fails on the way. */
import * as vscode from "vscode";
import { type Caller, Problem, send } from "./service";

const { t } = vscode.l10n;

/** Return a setting of the extension; package.json has the defaults. */
export const setting = <T>(name: string) =>
  vscode.workspace.getConfiguration("goals").get(name) as T;

type Work<T> = (caller: Caller, signal: AbortSignal) => Promise<T>;

export class Session {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;

  constructor(private readonly context: vscode.ExtensionContext) {}

  /** The service's address. No folder can set it, for it gets the token. */
  get address(): string {
    return setting<string>("url").trim().replace(/\/+$/, "");
  }

  get hasConsent(): boolean {
    return this.context.globalState.get(`consent ${this.address}`, false);
  }

  /** Return where to send a request and as whom. Throws Problem without a token. */
  async caller(): Promise<Caller> {
    const { address } = this;
    const token = await this.context.secrets.get(`token ${address}`);
    if (token === undefined) throw new Problem(401, "AUTH_MISSING", t("You are not signed in"));
    return { address, token };
  }

  /** Show what is sent, once for each address, and ask. `now` is what this command sends. */
  async consent(now = ""): Promise<boolean> {
    if (this.hasConsent) return true;
    const parts = [
      t("Sign in sends your token, which is kept in the editor's secret storage."),
      t("The tree and the choice of a task read your goals and tasks."),
      t("Validate, feedback, hints and the check on save send the text of the file or selection, its name in the folder, its language and its version. The service may pass the code on to its language model."),
      t("Dismiss sends your reason."),
      t("Nothing else is sent, and nothing before a command of yours. There is no telemetry."),
      now && t("Now: {0}", now),
    ];
    const title = t("AI Goals Tracker sends data to {0}", this.address);
    const options = { modal: true, detail: parts.filter(Boolean).join("\n\n") };
    const agreed = await vscode.window.showInformationMessage(title, options, t("Send"));
    await this.context.globalState.update(`consent ${this.address}`, agreed !== undefined);
    return agreed !== undefined;
  }

  /** Ask for a token, keep it for this address if it is good; return whether that is done. */
  async signIn(): Promise<boolean> {
    const title = t("Sign in to {0}", this.address);
    const prompt = t("Your token: `goals token --user NAME` prints one");
    const box = { title, prompt, password: true, ignoreFocusOut: true };
    const given = (await this.consent()) && (await vscode.window.showInputBox(box));
    if (!given) return false;
    const token = given.trim().replace(/^Bearer\s+/i, "");
    await this.context.secrets.store(`token ${this.address}`, token);
    const path = "/v1/goals?limit=1";
    const good = await this.ask(t("Signing in"), (as, signal) => send(as, { path, signal }));
    await (good ? this.tell() : this.signOut());
    return good !== undefined;
  }

  async signOut(): Promise<void> {
    await this.context.secrets.delete(`token ${this.address}`);
    await this.tell();
  }

  /** Let views and menus know whether somebody is signed in. */
  async tell(): Promise<void> {
    const token = await this.context.secrets.get(`token ${this.address}`);
    await vscode.commands.executeCommand("setContext", "goals.signedIn", token !== undefined);
    this.changed.fire();
  }

  /**
   * Ask the service, with progress and a way to cancel; show what fails with its remedy, and go on
   * where that has helped. Return undefined where it was given up.
   */
  async ask<T>(title: string, work: Work<T>): Promise<T | undefined> {
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    for (;;) {
      const abort = new AbortController();
      try {
        return await vscode.window.withProgress(options, async (_progress, cancelled) => {
          cancelled.onCancellationRequested(() => abort.abort());
          return work(await this.caller(), abort.signal);
        });
      } catch (error) {
        if (abort.signal.aborted || !(await remedy(error))) return undefined;
      }
    }
  }
}

/** Return a failure in one line: its title, what it says, its code, and what helps. */
export function tell(error: unknown): string {
  if (!(error instanceof Problem)) return String(error);
  const { status, code, title, message, retryAfter } = error;
  const wait = retryAfter ? t("Try again in {0} s.", retryAfter) : "";
  const advice = status ? wait : t("Is the service running, and is its address right?");
  const said = [title || t("No answer"), message].filter(Boolean).join(": ");
  return `${said} (${code}). ${advice}`.trim();
}

/** Show a failure with its remedies; return whether to try the same again. */
async function remedy(error: unknown): Promise<boolean> {
  const status = error instanceof Problem ? error.status : -1;
  const fixes: Record<number, [string, ...string[]]> = {
    0: [t("Open settings"), "workbench.action.openSettings", "goals.url"],
    401: [t("Sign in"), "goals.signIn"],
    404: [t("Choose task"), "goals.chooseTask"],
  };
  const [fix, command, argument] = fixes[status] ?? [];
  const again = [0, 409, 429].includes(status) || status >= 500 ? [t("Try again")] : [];
  const buttons = [...again, ...(fix ? [fix] : [])];
  const chosen = await vscode.window.showErrorMessage(tell(error), ...buttons);
  if (!chosen || chosen !== fix) return chosen !== undefined;
  return (await vscode.commands.executeCommand(command!, argument)) === true;
}
