/** The real things: code-server, Chromium and `goals serve`, each started for one test run. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const CODE_SERVER = "4.100.3";
export const EXTENSION = resolve(__dirname, "../../..");
const GOALS = resolve(EXTENSION, "../../.venv/bin/goals");
const START_SECONDS = 240;

/** Return the path of a program, or end with what installs it. */
export function program(names: string[], remedy: string): string {
  for (const name of names) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      continue;
    }
  }
  throw new Error(`${names.join(" or ")} was not found: ${remedy}`);
}

/** Return code-server's entry; it is installed once into the user's cache (200 MB, half a minute). */
export function installCodeServer(): string {
  if (!process.version.startsWith("v20.")) {
    throw new Error(`code-server ${CODE_SERVER} needs Node.js 20, and this is ${process.version}`);
  }
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(cache, "ai-goals-tracker", `code-server-${CODE_SERVER}`);
  const entry = join(folder, "node_modules", "code-server");
  const ready = join(folder, ".ready");
  if (fs.existsSync(ready)) {
    return entry;
  }
  const ripgrep = program(["rg"], "apt install ripgrep");
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(join(folder, "package.json"), "{}");
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"));
  const npm = (cwd: string, ...given: string[]) =>
    execFileSync("npm", [...given, "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd,
      env: Object.fromEntries(environment),
      stdio: ["ignore", "ignore", "inherit"],
    });
  npm(folder, "install", "--ignore-scripts", `code-server@${CODE_SERVER}`);
  npm(folder, "rebuild", "argon2", ...ownHeaders());
  const editor = join(entry, "lib", "vscode");
  npm(editor, "install", "--omit=dev", "--ignore-scripts");
  const bin = join(editor, "node_modules", "@vscode", "ripgrep", "bin");
  fs.mkdirSync(bin, { recursive: true });
  fs.symlinkSync(ripgrep, join(bin, "rg"));
  fs.writeFileSync(ready, "");
  return entry;
}

/** Let what is compiled use the headers that came with Node.js, so that none are downloaded. */
function ownHeaders(): string[] {
  const prefix = resolve(process.execPath, "../..");
  return fs.existsSync(join(prefix, "include", "node", "node.h")) ? [`--nodedir=${prefix}`] : [];
}

/** The processes and files of one test run; `close` ends and removes them all. */
export class Machine {
  readonly folder = fs.mkdtempSync(join(tmpdir(), "goals-vscode-"));
  private readonly processes: ChildProcess[] = [];

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  write(name: string, content: string): string {
    const path = this.path(name);
    fs.mkdirSync(resolve(path, ".."), { recursive: true });
    fs.writeFileSync(path, content);
    return path;
  }

  /** Start the service with a scripted model and its own PostgreSQL; return its address. */
  serve(): Promise<string> {
    return this.start(GOALS, ["serve", "--port", "0"], /Uvicorn running on (http:\S+?)[\s"]/);
  }

  token(user: string): string {
    const options = { env: this.environment(), cwd: this.folder, encoding: "utf8" } as const;
    return execFileSync(GOALS, ["token", "--user", user], options).trim();
  }

  /** Start the editor on a folder, with the packed extension; return its address. */
  edit(entry: string, folder: string, ...more: string[]): Promise<string> {
    const own = ["--user-data-dir", this.path("user"), "--extensions-dir", this.path("extensions")];
    const quiet = ["--config", this.write("code-server.yaml", ""), "--disable-telemetry"];
    const packed = join(EXTENSION, "out", "ai-goals-tracker.vsix");
    const install = [entry, ...own, ...quiet, "--install-extension", packed];
    execFileSync(process.execPath, install, { env: this.environment(), stdio: "ignore" });
    const bind = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-update-check"];
    const listening = /HTTP server listening on (http:\S+)/;
    return this.start(process.execPath, [entry, ...own, ...quiet, ...bind, ...more, folder], listening);
  }

  async close(): Promise<void> {
    for (const one of this.processes.filter(({ exitCode }) => exitCode === null)) {
      const ended = new Promise((end) => one.once("exit", end));
      one.kill("SIGTERM");
      await ended;
    }
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private environment(): NodeJS.ProcessEnv {
    const settings = /^(GOALS|OPENAI|DATABASE|AMQP|AWS)_|^VSCODE_/;
    const inherited = Object.entries(process.env).filter(([name]) => !settings.test(name));
    return {
      ...Object.fromEntries(inherited),
      GOALS_HOME: this.path("home"),
      GOALS_CHAT: "scripted",
      GOALS_EMBEDDINGS: "scripted",
    };
  }

  /** Start a program and wait for the line that tells its address. */
  private start(command: string, given: string[], address: RegExp): Promise<string> {
    const started = spawn(command, given, { cwd: this.folder, env: this.environment() });
    this.processes.push(started);
    return new Promise((found, fail) => {
      let said = "";
      const late = setTimeout(() => fail(new Error(`too slow: ${said}`)), START_SECONDS * 1000);
      for (const stream of [started.stdout, started.stderr]) {
        createInterface(stream).on("line", (line) => {
          said += `${line}\n`;
          const told = address.exec(line)?.[1];
          if (told !== undefined) {
            clearTimeout(late);
            found(told.replace(/\/$/, ""));
          }
        });
      }
      started.once("exit", (code) => fail(new Error(`${command} ended with ${code}: ${said}`)));
    });
  }
}
