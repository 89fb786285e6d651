import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { activate } from "../../src/extension";
import { Document, makeContext, restart, stub, Uri, type User } from "./editor";
import { GOAL, ISSUE, REMARK, Service, TASK } from "./service";

const CODE = "def doble(n):\n    unused = 1\n    return n + 1\n";

let service: Service;
let user: User;
let context: ReturnType<typeof makeContext>;
let document: Document;
const services: Service[] = [];

beforeEach(async () => {
  service = await new Service().open();
  services.push(service);
  user = restart();
  user.settings["url"] = service.address;
  context = makeContext();
  document = new Document(Uri.file("/home/ana/course/src/doble.py"), CODE);
  user.active = { document, selection: new stub.Range(1, 4, 2, 0) };
  activate(context);
});

after(() => services.forEach((one) => one.close()));

/** Wait until something has come about. */
async function until(what: () => unknown): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!what()) {
    assert.ok(Date.now() < deadline, `never: ${what}`);
    await new Promise((later) => setTimeout(later, 5));
  }
}

async function signIn(): Promise<void> {
  await context.globalState.update(`consent ${service.address}`, true);
  await context.secrets.store(`token ${service.address}`, "t0k");
  await context.workspaceState.update("task", TASK);
}

async function validate(): Promise<void> {
  await signIn();
  await user.run("goals.validateFile");
}

const shown = () => user.diagnostics.get(document.uri.path) ?? [];
const told = () => shown().map(({ message }) => message);
const actions = (index: number) =>
  user.providers.get("actions").provideCodeActions(document, null, { diagnostics: [shown()[index]] });
const titles = (index: number) => actions(index).map(({ title }: { title: string }) => title);
const problem = (status: number, code: string) => ({
  status,
  body: { title: "Not Good", status, detail: "it is not good", code },
  headers: { "Content-Type": "application/problem+json", "Retry-After": "7" },
});

test("nothing is sent before a command, not even on save", async () => {
  await context.secrets.store(`token ${service.address}`, "t0k");
  user.settings["checkOnSave"] = true;

  user.opened.fire(document);
  user.edit(document, `${CODE}\n`);
  user.saved.fire(document);
  await new Promise((later) => setTimeout(later, 200));

  assert.deepEqual([service.asked, user.shown.filter((one) => !one.startsWith(">"))], [[], []]);
});

test("the first command shows what is sent, and sends nothing where that is refused", async () => {
  user.answers.push(undefined);

  await user.run("goals.validateFile");

  assert.deepEqual(user.shown.at(-1), `AI Goals Tracker sends data to ${service.address}`);
  assert.match(user.details.at(-1)!, /the text of the file[^]*Now: 46 characters of src\/doble\.py$/);
  assert.deepEqual(service.asked, []);
});

test("a token is tried, kept for its address, and sent to no other", async () => {
  user.answers.push("Send", " Bearer t0k ");

  const signedIn = await user.run("goals.signIn");
  user.settings["url"] = "http://127.0.0.1:1";
  user.configured.fire({ affectsConfiguration: () => true });
  await until(() => user.contexts.get("goals.signedIn") === false);

  assert.ok(signedIn);
  assert.deepEqual(service.asked.map(({ token }) => token), ["Bearer t0k"]);
  assert.equal(await context.secrets.get(`token ${service.address}`), "t0k");
  assert.equal(await context.secrets.get("token http://127.0.0.1:1"), undefined);
});

test("a bad token is not kept", async () => {
  service.replies.push(problem(401, "AUTH_INVALID"));
  user.answers.push("Send", "bad", undefined);

  const signedIn = await user.run("goals.signIn");

  assert.equal(signedIn, false);
  assert.match(user.shown.join("\n"), /Not Good: it is not good \(AUTH_INVALID\)/);
  assert.equal(await context.secrets.get(`token ${service.address}`), undefined);
});

test("an expired token leads to signing in, and then the command goes on", async () => {
  await signIn();
  service.replies.push(problem(401, "AUTH_EXPIRED"));
  user.answers.push("Sign in", "new");

  await user.run("goals.validateFile");

  assert.deepEqual(service.asked.map(({ token }) => token), ["Bearer t0k", "Bearer new", "Bearer new"]);
  assert.equal(shown().length, 3);
});

test("a command of somebody who is not signed in says so and helps", async () => {
  await signIn();
  await context.secrets.delete(`token ${service.address}`);

  await user.run("goals.validateFile");

  assert.equal(user.shown.at(-1), "You are not signed in (AUTH_MISSING).");
  assert.deepEqual(service.asked, []);
});

test("a file is sent by its name in the folder, with its version", async () => {
  await validate();

  const [asked] = service.asked;
  assert.equal(`${asked!.method} ${asked!.path}`, "POST /v1/tasks/tsk_1/validate");
  assert.match(asked!.key!, /^[0-9a-f-]{36}$/);
  assert.deepEqual(asked!.body, {
    file_path: "src/doble.py",
    programming_language: "python",
    code: CODE,
    document_version: 1,
    mode: "full",
    hint: "concept",
  });
});

test("of a file elsewhere only the last part of its path is sent", async () => {
  document = new Document(Uri.file("/etc/secret/a.py"), CODE);
  user.active!.document = document;

  await validate();

  assert.equal(service.asked[0]!.body["file_path"], "a.py");
});

test("feedback asks for no task", async () => {
  await signIn();

  await user.run("goals.askFeedback");

  assert.deepEqual(service.asked.map(({ path }) => path), ["/v1/feedback"]);
});

test("findings have the exact lines, without the space around them", async () => {
  await validate();

  const found = shown().map(({ range, severity, code }) => [...range.numbers(), severity, code]);
  assert.deepEqual(found, [
    [0, 0, 0, 13, 0, "run/fail"],
    [1, 4, 1, 14, 2, "ruff/F841"],
    [2, 4, 2, 16, 0, "review/essential"],
  ]);
  assert.deepEqual(told(), ["doble(4): expected 8, got 5", ISSUE.problem, "It adds (always)"]);
});

test("a selection is sent as whole lines without their margin, and found where it stands", async () => {
  const text = "class A:\n    def doble(n):\n        x = 1\n\n        return n\n";
  user.edit(document, text);
  user.active!.selection = new stub.Range(1, 8, 5, 0);
  service.review = { runs: [] };
  await signIn();

  await user.run("goals.validateSelection");

  assert.equal(service.asked[0]!.body["code"], "def doble(n):\n    x = 1\n\n    return n\n");
  assert.deepEqual(shown()[0]!.range.numbers(), [2, 8, 2, 13]);
});

test("lines beyond the document are its last one", async () => {
  service.review = { runs: [], issues: [{ ...ISSUE, start_line: 9, end_line: 12 }] };

  await validate();

  assert.deepEqual(shown()[0]!.range.numbers(), [3, 0, 3, 0]);
});

test("praise is no problem", async () => {
  service.review = { runs: [], issues: [{ ...REMARK, kind: "celebratory" }] };

  await validate();

  assert.deepEqual(shown(), []);
});

test("findings are outdated while the code is another one", async () => {
  await validate();

  user.edit(document, `# new\n${CODE}`);
  await until(() => told().every((text) => text.startsWith("Outdated, the code has changed: ")));
  const severities = shown().map(({ severity }) => severity);
  const status = user.status.text;
  user.edit(document, CODE);
  await until(() => told()[0] === "doble(4): expected 8, got 5");

  assert.deepEqual(severities, [2, 2, 2]);
  assert.equal(status, "$(history) Goals: not passed · 0 %");
  assert.equal(user.status.text, "$(error) Goals: not passed · 0 %");
});

test("an answer to what was not sent is outdated", async () => {
  service.review = { sha256: "0".repeat(64) };

  await validate();

  assert.match(told()[0]!, /^Outdated/);
});

test("an answer is outdated at once where the code changed meanwhile", async () => {
  await signIn();
  const running = user.run("goals.validateFile");
  user.edit(document, `# new\n${CODE}`);

  await running;

  assert.match(told()[0]!, /^Outdated/);
});

test("each finding has the actions that make sense", async () => {
  await validate();

  const [explain, hint, dismiss] = ["explain", "next hint", "dismiss with a reason"];
  assert.deepEqual(titles(0), [explain, hint].map((title) => `Goals: ${title}`));
  assert.deepEqual(titles(1), [explain, hint, dismiss].map((title) => `Goals: ${title}`));
});

test("the next hint sends the same code again and goes one step further, to the last", async () => {
  await validate();

  for (let step = 0; step < 3; step += 1) {
    const next = actions(1).find(({ title }: { title: string }) => title === "Goals: next hint");
    if (next) await user.run(next.command.command, ...next.command.arguments);
  }

  const posts = service.asked.filter(({ method }) => method === "POST");
  assert.deepEqual(posts.map(({ body }) => body["hint"]), ["concept", "pseudocode", "analogue"]);
  assert.equal(new Set(posts.map(({ key }) => key)).size, 3);
  assert.deepEqual(new Set(posts.map(({ body }) => body["code"])), new Set([CODE]));
});

test("a finding is dismissed with its reason and goes", async () => {
  await validate();
  user.answers.push(" the course wants it ");

  await user.run("goals.dismiss", document.uri, ISSUE.fingerprint);

  const { path, body } = service.asked.at(-1)!;
  assert.equal(path, "/v1/snapshots/snp_1/dismissals");
  assert.deepEqual(body, { fingerprint: ISSUE.fingerprint, reason: "the course wants it" });
  assert.deepEqual(told(), ["doble(4): expected 8, got 5", "It adds (always)"]);
});

test("without a reason nothing is dismissed", async () => {
  await validate();
  const before = service.asked.length;
  user.answers.push("  ");

  await user.run("goals.dismiss", document.uri, ISSUE.fingerprint);

  assert.deepEqual([service.asked.length, shown().length], [before, 3]);
});

test("a check on save asks no model, and keeps what the model has said", async () => {
  await validate();
  user.settings["checkOnSave"] = true;

  user.edit(document, `${CODE}# more\n`);
  user.saved.fire(document);
  await until(() => told()[2]?.startsWith("Outdated") && !told()[0]!.startsWith("Outdated"));

  const { body, key } = service.asked.at(-1)!;
  assert.deepEqual([body["mode"], body["document_version"], key], ["facts", 2, undefined]);
  assert.deepEqual(told(), [
    "doble(4): expected 8, got 5",
    ISSUE.problem,
    "Outdated, the code has changed: It adds (always)",
  ]);
  assert.deepEqual(titles(1), ["Goals: explain"]);
});

test("a check gives up the one before", async () => {
  await signIn();
  user.settings["checkOnSave"] = true;
  service.replies.push({ held: true, body: null });

  user.saved.fire(document);
  await until(() => service.asked.length === 1);
  user.edit(document, `${CODE}# more\n`);
  user.saved.fire(document);
  user.saved.fire(document);
  await service.asked[0]!.closed;
  await until(() => shown().length > 0);

  assert.deepEqual(service.asked.map(({ body }) => body["document_version"]), [1, 2]);
  assert.deepEqual(user.shown.filter((one) => one.includes("warning")), []);
});

test("what is no code is not checked on save", async () => {
  await signIn();
  user.settings["checkOnSave"] = true;

  user.saved.fire(new Document(Uri.file("/home/ana/course/.env"), "KEY=1", "dotenv"));
  user.saved.fire(new Document(Uri.file("/home/ana/course/a.md"), "# A", "markdown"));
  await new Promise((later) => setTimeout(later, 200));

  assert.deepEqual(service.asked, []);
});

test("a check that fails says so in the status bar only", async () => {
  await signIn();
  user.settings["checkOnSave"] = true;
  service.replies.push(problem(503, "DB_UNAVAILABLE"));

  user.saved.fire(document);
  await until(() => user.shown.length);
  await until(() => user.shown.some((one) => one.includes("DB_UNAVAILABLE")));

  assert.match(user.shown.at(-1)!, /^\$\(warning\) Goals: Not Good.*Try again in 7 s\.$/);
});

test("what is cancelled ends the request and shows nothing", async () => {
  await signIn();
  service.replies.push({ held: true, body: null });
  const running = user.run("goals.validateFile");
  await until(() => service.asked.length === 1);

  user.cancel!();
  await running;
  await service.asked[0]!.closed;

  assert.deepEqual([shown(), user.shown.filter((one) => !one.startsWith(">"))], [[], []]);
});

test("a second attempt has the same key, so that a model is not asked twice", async () => {
  await signIn();
  service.replies.push(problem(504, "LLM_TIMEOUT"), { status: 502, body: "<html>" });
  service.replies.push(problem(409, "IDEMPOTENCY_IN_PROGRESS"));
  user.answers.push("Try again", "Try again", "Try again");

  await user.run("goals.validateFile");

  const keys = service.asked.map(({ key }) => key);
  assert.deepEqual([keys.length, new Set(keys).size], [4, 1]);
  assert.deepEqual(
    user.shown.filter((one) => one.includes("(")).slice(0, 2),
    ["Not Good: it is not good (LLM_TIMEOUT). Try again in 7 s.", "Bad Gateway (HTTP_502)."],
  );
  assert.equal(shown().length, 3);
});

test("a service that does not answer leads to its address", async () => {
  user.settings["url"] = service.address = "http://127.0.0.1:1";
  await signIn();
  user.answers.push("Open settings");

  await user.run("goals.validateFile");

  assert.match(user.shown.at(-2)!, /^No answer: .*\(UNREACHABLE\)\. Is the service running/);
  assert.equal(user.shown.at(-1), "> workbench.action.openSettings");
});

test("a task that is gone is chosen again", async () => {
  await signIn();
  service.replies.push(problem(404, "NOT_FOUND"));
  user.answers.push("Choose task", 0);

  await user.run("goals.validateFile");

  assert.equal((context.workspaceState.get("task") as typeof TASK).id, "tsk_2");
});

test("tasks are chosen from all pages, and what is chosen is in the status bar", async () => {
  await signIn();
  await context.workspaceState.update("task", undefined);
  user.answers.push(1);

  await user.run("goals.chooseTask");

  assert.equal((context.workspaceState.get("task") as typeof TASK).id, "tsk_1");
  assert.deepEqual([user.status.text, user.status.command], ["$(target) Goals: Doblar", "goals.chooseTask"]);
});

test("the next task stands on top of the tree and of its goal", async () => {
  await signIn();
  const tree = user.providers.get("tree");

  const [next, goal] = await tree.getChildren();
  const tasks = await tree.getChildren(goal);

  assert.equal(tree.getTreeItem(next).label, "Next: Doblar");
  assert.deepEqual([goal.label, goal.description], [GOAL.title, "25 %"]);
  assert.deepEqual(tasks.map(({ label }: { label: string }) => label), ["Doblar", "Sumar"]);
  assert.deepEqual(next.command.arguments, [TASK]);
});

test("a tree that cannot be read says why, and is empty for who is not signed in", async () => {
  const tree = user.providers.get("tree");

  const before = [await tree.getChildren(), user.view.message, service.asked.length];
  await signIn();
  service.replies.push(problem(503, "DB_UNAVAILABLE"));
  const failed = [await tree.getChildren(), user.view.message];

  assert.deepEqual(before, [[], undefined, 0]);
  assert.deepEqual(failed, [[], "Not Good: it is not good (DB_UNAVAILABLE). Try again in 7 s."]);
});

test("nothing that the model says becomes a link, an image or HTML in the report", async () => {
  const evil = "![x](https://evil.test/a.png) <img src=x> [a](command:goals.signOut) `b` ¿sí?";
  service.review = { feedback: evil, issues: [{ ...ISSUE, problem: evil, quote: "```\n![x](y)" }] };
  await validate();

  await user.run("goals.explain", document.uri, ISSUE.fingerprint);
  const path = `${document.uri.path}.md`;
  const report: string = user.providers.get("report").provideTextDocumentContent({ path });

  assert.equal(user.shown.at(-1), "> markdown.showPreviewToSide");
  const prose = report.replace(/^ {4}.*$/gm, "").replace(/\\[!-/:-@[-`{-~]/g, "");
  assert.doesNotMatch(prose, /[<[\]()`]|!/);
  assert.match(report, /\n {4}```\n {4}!\[x\]\(y\)\n/);
  assert.match(report, /¿sí\\\?/);
});

test("the MCP server has the token of its address, once it is started", async () => {
  const provider = user.providers.get("mcp");
  const before = provider.provideMcpServerDefinitions();
  await signIn();

  const [server] = provider.provideMcpServerDefinitions();
  const headers = { ...server.headers };
  const started = await provider.resolveMcpServerDefinition(server);

  assert.deepEqual([before, headers], [[], {}]);
  assert.equal(`${server.uri}`, `${service.address}/mcp`);
  assert.deepEqual(started.headers, { Authorization: "Bearer t0k" });
});

test("an editor without MCP runs the rest", () => {
  const { lm } = stub;
  stub.lm = { registerMcpServerDefinitionProvider: () => assert.fail("a proposal") };

  activate(makeContext());

  stub.lm = lm;
});
