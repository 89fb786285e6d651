/** Who is signed in where, what the user has agreed to send there, and what fails on the way. */
import * as vscode from "vscode";
import { type Caller, Problem, send } from "./service";

const { t } = vscode.l10n;

/** Return a setting of the extension; package.json has the defaults. */
export function setting<T>(name: string): T {
  return vscode.workspace.getConfiguration("goals").get(name) as T;
}

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
    if (token === undefined) {
      throw new Problem(401, "AUTH_MISSING", t("You are not signed in"));
    }
    return { address, token };
  }

  /** Show what is sent, once for each address, and ask. `now` is what this command sends. */
  async consent(now?: string): Promise<boolean> {
    if (this.hasConsent) {
      return true;
    }
    const detail = [
      t("Sign in sends your token, which is kept in the editor's secret storage."),
      t("The tree and the choice of a task read your goals and tasks."),
      t("Validate, feedback, hints and the check on save send the text of the file or selection, its name in the folder, its language and its version. The service may pass the code on to its language model."),
      t("Dismiss sends your reason."),
      t("Nothing else is sent, and nothing before a command of yours. There is no telemetry."),
      ...(now === undefined ? [] : [t("Now: {0}", now)]),
    ].join("\n\n");
    const agree = t("Send");
    const title = t("AI Goals Tracker sends data to {0}", this.address);
    const options = { modal: true, detail };
    const chosen = await vscode.window.showInformationMessage(title, options, agree);
    if (chosen === agree) {
      await this.context.globalState.update(`consent ${this.address}`, true);
    }
    return chosen === agree;
  }

  /** Ask for a token, try it, keep it for this address; return whether that is done. */
  async signIn(): Promise<boolean> {
    if (!(await this.consent())) {
      return false;
    }
    const { address } = this;
    const title = t("Sign in to {0}", address);
    const prompt = t("Your token: `goals token --user NAME` prints one");
    const box = { title, prompt, password: true, ignoreFocusOut: true };
    const given = await vscode.window.showInputBox(box);
    const token = given?.trim().replace(/^Bearer\s+/i, "");
    if (!token) {
      return false;
    }
    const trial = (signal: AbortSignal) =>
      send({ address, token }, { path: "/v1/goals?limit=1", signal });
    const answer = await ask(t("Signing in"), (signal) =>
      trial(signal).catch((error) => (error?.status === 401 ? error : Promise.reject(error))),
    );
    if (answer === undefined || answer instanceof Problem) {
      return answer !== undefined && remedy(answer);
    }
    await this.context.secrets.store(`token ${address}`, token);
    await this.tell();
    return true;
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
}

/**
 * Ask the service, with progress and a way to cancel; show what fails with its remedy, and go on
 * where that has helped. Return undefined where it was given up.
 */
export async function ask<T>(
  title: string,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  for (;;) {
    const abort = new AbortController();
    try {
      const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
      return await vscode.window.withProgress(options, (_progress, cancelled) => {
        cancelled.onCancellationRequested(() => abort.abort());
        return action(abort.signal);
      });
    } catch (error) {
      if (abort.signal.aborted || !(await remedy(error))) {
        return undefined;
      }
    }
  }
}

/** Return a failure in one line: its title, what it says, its code, and what helps. */
export function tell(error: unknown): string {
  if (!(error instanceof Problem)) {
    return String(error);
  }
  const { status, code, title, message, retryAfter } = error;
  const wait = retryAfter === undefined ? "" : t("Try again in {0} s.", retryAfter);
  const advice: Record<number, string> = {
    0: t("Is the service running, and is its address right?"),
    413: t("Select a part of the file, and validate the selection."),
  };
  const said = [title || t("No answer"), message].filter(Boolean).join(": ");
  return `${said} (${code}). ${advice[status] ?? wait}`.trim();
}

/** Show a failure with its remedies; return whether to try the same again. */
async function remedy(error: unknown): Promise<boolean> {
  const [again, signIn] = [t("Try again"), t("Sign in")];
  const [settings, chooseTask] = [t("Open settings"), t("Choose task")];
  const status = error instanceof Problem ? error.status : -1;
  const remedies: Record<number, string[]> = {
    0: [again, settings],
    401: [signIn],
    404: [chooseTask],
    429: [again],
  };
  const buttons = remedies[status] ?? (status >= 500 ? [again] : []);
  const chosen = await vscode.window.showErrorMessage(tell(error), ...buttons);
  if (chosen === signIn) {
    return vscode.commands.executeCommand<boolean>("goals.signIn");
  }
  if (chosen === settings) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "goals.url");
  } else if (chosen === chooseTask) {
    await vscode.commands.executeCommand("goals.chooseTask");
  }
  return chosen === again;
}
