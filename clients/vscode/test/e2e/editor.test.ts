/** A learner in a real VS Code, against a real service. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { EXTENSION, installCodeServer, Machine, program } from "./machine";

const DOUBLE = "def doble(n):\n    unused = 1\n    return n + 1\n";
export const ROUNDS = 10;
const SHOTS = join(EXTENSION, "out", "screenshots");

const machine = new Machine();
let browser: Browser;
let page: Page;
let service: string;
let token: string;

async function post(path: string, body: object): Promise<{ id: string }> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const response = await fetch(service + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as { id: string };
}

async function command(name: string): Promise<void> {
  await page.keyboard.press("F1");
  const input = page.locator(".quick-input-widget input[type=text]").first();
  await input.fill(`>${name}`);
  await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
  await page.keyboard.press("Enter");
}

async function open(file: string): Promise<void> {
  await page.keyboard.press("ControlOrMeta+P");
  await page.locator(".quick-input-widget input[type=text]").first().fill(file);
  await page.locator(".quick-input-list .monaco-list-row", { hasText: file }).first().waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".tab.active", { hasText: file }).waitFor();
}

const problem = (text: string) =>
  page.locator(".markers-panel .monaco-list-row", { hasText: text }).first();

const shot = (name: string) => page.screenshot({ path: join(SHOTS, `${name}.png`) });

before(async () => {
  fs.mkdirSync(SHOTS, { recursive: true });
  const entry = installCodeServer();
  const executablePath = program(["chromium", "chromium-browser", "google-chrome"], "apt install chromium");
  service = await machine.serve();
  token = machine.token("ana");
  const goal = await post("/v1/goals", { title: "Aprender a doblar", priority: "high" });
  const task = { title: "Doblar un número", description: "doble(n): el doble. Ejemplo: doble(4) == 8" };
  await post("/v1/tasks", { ...task, goal_id: goal.id, priority: 1 });
  await post("/v1/tasks", { title: "Sumar los pares", goal_id: goal.id, priority: 2 });
  machine.write("work/doble.py", DOUBLE);
  machine.write("user/Machine/settings.json", JSON.stringify({ "goals.url": service }));
  machine.write(
    "user/User/settings.json",
    JSON.stringify({
      "security.workspace.trust.enabled": false,
      "workbench.startupEditor": "none",
      "workbench.colorTheme": "Default Light Modern",
      "editor.minimap.enabled": false,
      "files.autoSave": "off",
    }),
  );
  const editor = await machine.edit(entry, machine.path("work"));
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(20_000);
  await page.goto(`${editor}/?folder=${encodeURIComponent(machine.path("work"))}`);
  await page.locator(".statusbar-item", { hasText: "Goals" }).waitFor({ timeout: 60_000 });
});

after(async () => {
  await shot("last").catch(() => undefined);
  await browser?.close();
  await machine.close();
});

test("the first command shows what is sent and asks", async () => {
  await open("doble.py");
  await command("Goals: Sign in");
  const dialog = page.locator(".monaco-dialog-box");
  await dialog.waitFor();
  await shot("1-consent");
  assert.match((await dialog.textContent()) ?? "", new RegExp(`sends data to ${service}`));
  await dialog.locator(".monaco-button", { hasText: "Send" }).click();
  await page.locator(".quick-input-widget input[type=password]").fill(token);
  await page.keyboard.press("Enter");
});

test("a wrong file is seen in the Problems panel, on its lines", async () => {
  await page.locator(".activitybar .action-label[aria-label*='AI Goals Tracker']").click();
  await page.locator(".pane-body", { hasText: "Next: Doblar un número" }).waitFor();
  await page.locator(".monaco-list-row", { hasText: "Aprender a doblar" }).click();
  await page.locator(".monaco-list-row", { hasText: "Sumar los pares" }).waitFor();
  await page.locator(".editor-group-container .view-lines").first().click();
  await command("Goals: Choose task");
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "Doblar" }).waitFor();
  await shot("2-choose-task");
  await page.keyboard.press("Enter");
  await command("Goals: Validate file");
  await command("Problems: Focus on Problems View");
  await problem("unused").waitFor();
  await shot("3-problems");

  assert.match((await problem("unused").textContent()) ?? "", /ruff\/F841.*\[Ln 2, Col 5\]/);
  assert.match((await problem("expected 8, got 5").textContent()) ?? "", /\[Ln 1, Col 1\]/);
  await page.locator(".statusbar-item", { hasText: "not passed 0 %" }).waitFor();
});
