/** A stub of the editor: what the extension registers can be run, what it shows can be read. */
import Module from "node:module";
import type * as vscode from "vscode";

type Handler = (...given: any[]) => any;

class EventEmitter<T> {
  private readonly listeners = new Set<(value: T) => void>();
  readonly event = (listener: (value: T) => void) => {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  };
  fire(value: T): void {
    this.listeners.forEach((listener) => listener(value));
  }
}

export class Uri {
  constructor(readonly scheme: string, readonly path: string) {}
  static file = (path: string) => new Uri("file", path);
  static from = ({ scheme, path }: { scheme: string; path: string }) => new Uri(scheme, path);
  static parse(text: string): Uri {
    const [, scheme, path] = /^(\w+):(?:\/\/)?(.*)$/.exec(text)!;
    return new Uri(scheme!, path!);
  }
  toString = () => `${this.scheme}://${this.path}`;
}

class Range {
  readonly start: { line: number; character: number };
  readonly end: { line: number; character: number };
  constructor(line: number, character: number, lastLine: number, lastCharacter: number) {
    this.start = { line, character };
    this.end = { line: lastLine, character: lastCharacter };
  }
  numbers = () => [this.start.line, this.start.character, this.end.line, this.end.character];
  isEqual = (other: Range) => this.numbers().join() === other.numbers().join();
}

export class Document {
  version = 1;
  constructor(readonly uri: Uri, public text: string, readonly languageId = "python") {}
  getText = () => this.text;
  lines = () => this.text.split(/\r\n|\n|\r/);
  get lineCount(): number {
    return this.lines().length;
  }
  lineAt(line: number) {
    const text = this.lines()[line]!;
    const space = /^\s*/.exec(text)![0].length;
    return { text, firstNonWhitespaceCharacterIndex: space };
  }
}

class Diagnostic {
  source?: string;
  code?: string;
  constructor(readonly range: Range, readonly message: string, readonly severity: number) {}
}

/** The user's side: the answers to what is asked, in their order, and what was shown. */
export class User {
  readonly shown: string[] = [];
  readonly details: string[] = [];
  readonly answers: unknown[] = [];
  readonly settings: Record<string, unknown> = { hint: "concept", checkOnSave: false };
  readonly diagnostics = new Map<string, Diagnostic[]>();
  readonly contexts = new Map<string, unknown>();
  readonly titles: string[] = [];
  active: { document: Document; selection: Range } | undefined;
  cancel: (() => void) | undefined;
  status = { text: "", tooltip: "", command: "", show: () => undefined, dispose: () => undefined };
  view: { message?: string; dispose: () => void } = { dispose: () => undefined };
  commands = new Map<string, Handler>();
  providers = new Map<string, any>();
  changed = new EventEmitter<{ document: Document }>();
  opened = new EventEmitter<Document>();
  saved = new EventEmitter<Document>();
  deleted = new EventEmitter<{ files: Uri[] }>();
  activated = new EventEmitter<unknown>();
  configured = new EventEmitter<{ affectsConfiguration: (name: string) => boolean }>();

  run = (command: string, ...given: unknown[]): any => this.commands.get(command)?.(...given);

  edit(document: Document, text: string): void {
    Object.assign(document, { text, version: document.version + 1 });
    this.changed.fire({ document });
  }
}

export let user = new User();
/** Begin with an editor in which nothing has happened. */
export function restart(): User {
  user = new User();
  return user;
}

const ask = async (text: string, ...more: unknown[]) => {
  user.shown.push(text);
  const [options] = more as [{ detail?: string } | undefined];
  user.details.push(options?.detail ?? "");
  return user.answers.shift();
};
const provide = (name: string) => (_selector: unknown, provider: unknown) => {
  user.providers.set(name, provider);
  return { dispose: () => undefined };
};
const on = (name: "changed" | "opened" | "saved" | "deleted" | "activated" | "configured") =>
  (listener: Handler) => user[name].event(listener);

export const stub = {
  EventEmitter, Uri, Range, Diagnostic,
  Disposable: class {
    constructor(readonly dispose: () => void) {}
  },
  ThemeIcon: class { constructor(readonly id: string) {} },
  ThemeColor: class { constructor(readonly id: string) {} },
  TreeItem: class { constructor(readonly label: string) {} },
  CodeAction: class { constructor(readonly title: string, readonly kind: string) {} },
  CodeActionKind: { QuickFix: "quickfix" },
  DiagnosticSeverity: { Error: 0, Warning: 1, Information: 2, Hint: 3 },
  ProgressLocation: { Window: 10, Notification: 15 },
  StatusBarAlignment: { Left: 1 },
  TreeItemCollapsibleState: { Collapsed: 1 },
  McpHttpServerDefinition: class {
    headers = {};
    constructor(readonly label: string, readonly uri: Uri) {}
  } as unknown,
  l10n: {
    t: (text: string, ...values: unknown[]) =>
      text.replace(/\{(\d+)\}/g, (_all, index: string) => String(values[Number(index)])),
  },
  lm: { registerMcpServerDefinitionProvider: provide("mcp") as unknown },
  languages: {
    createDiagnosticCollection: () => {
      const { diagnostics } = user;
      return {
        set: (uri: Uri, found: Diagnostic[]) => diagnostics.set(uri.path, found),
        delete: (uri: Uri) => diagnostics.delete(uri.path),
        dispose: () => undefined,
      };
    },
    registerCodeActionsProvider: provide("actions"),
  },
  commands: {
    registerCommand: (name: string, action: Handler) => {
      user.commands.set(name, action);
      return { dispose: () => undefined };
    },
    executeCommand: async (name: string, ...given: unknown[]) => {
      user.shown.push(`> ${name}`);
      if (name === "setContext") user.contexts.set(String(given[0]), given[1]);
      return user.run(name, ...given);
    },
  },
  workspace: {
    getConfiguration: () => ({ get: (name: string) => user.settings[name] }),
    getWorkspaceFolder: (uri: Uri) => (uri.path.startsWith("/home/ana/course/") ? {} : undefined),
    asRelativePath: (uri: Uri) => uri.path.replace("/home/ana/course/", ""),
    registerTextDocumentContentProvider: provide("report"),
    onDidChangeTextDocument: on("changed"),
    onDidOpenTextDocument: on("opened"),
    onDidSaveTextDocument: on("saved"),
    onDidDeleteFiles: on("deleted"),
    onDidChangeConfiguration: on("configured"),
  },
  window: {
    get activeTextEditor() {
      return user.active;
    },
    onDidChangeActiveTextEditor: on("activated"),
    createStatusBarItem: () => user.status,
    createTreeView: (_id: string, { treeDataProvider }: { treeDataProvider: unknown }) => {
      user.providers.set("tree", treeDataProvider);
      return user.view;
    },
    showInformationMessage: ask,
    showErrorMessage: ask,
    showWarningMessage: ask,
    showInputBox: async ({ title }: { title: string }) => ask(title),
    showQuickPick: async (items: unknown[], { title }: { title: string }) => {
      user.shown.push(title);
      const chosen = user.answers.shift();
      return typeof chosen === "number" ? items[chosen] : undefined;
    },
    setStatusBarMessage: (text: string) => user.shown.push(text),
    withProgress: (options: { title?: string }, action: Handler) => {
      user.titles.push(options.title ?? "");
      const cancelled = new EventEmitter<void>();
      user.cancel = () => cancelled.fire();
      return action({}, { onCancellationRequested: cancelled.event });
    },
  },
};

/** What is kept for an extension between sessions. */
export function makeContext(): vscode.ExtensionContext {
  const memory = () => {
    const kept = new Map<string, unknown>();
    return {
      get: (name: string, otherwise?: unknown) => kept.get(name) ?? otherwise,
      update: async (name: string, value: unknown) => void kept.set(name, value),
      store: async (name: string, value: unknown) => void kept.set(name, value),
      delete: async (name: string) => void kept.delete(name),
    };
  };
  const parts = { globalState: memory(), workspaceState: memory(), secrets: memory() };
  return { ...parts, subscriptions: [] } as unknown as vscode.ExtensionContext;
}

const loader = Module as unknown as { _load: Handler };
const load = loader._load;
loader._load = (name: string, ...more: unknown[]) => (name === "vscode" ? stub : load(name, ...more));
