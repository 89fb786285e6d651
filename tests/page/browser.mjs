// A person at the page, in headless Chromium: node browser.mjs URL SCENARIO ARGUMENTS-AS-JSON.
// Prints a line of JSON at each moment that the test waits for, and goes on when it gets a line.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [url, scenario, given] = process.argv.slice(2);
const args = JSON.parse(given);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDE = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };

const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const wait = async (at) => {
  tell({ at });
  await lines.next();
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
const wrong = [];

async function open({ token = null, axe = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: WIDE, locale: "en-US", ...options });
  context.setDefaultTimeout(60_000);
  if (axe) await context.addInitScript(AXE);
  if (token) await context.addInitScript((value) => sessionStorage.setItem("goals.token", value), token);
  return context;
}

async function tab(context, hash = "") {
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`page: ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy|TrustedHTML|ReferenceError|TypeError/.test(message.text())) wrong.push(message.text());
  });
  await page.goto(`${url}/${hash}`);
  return page;
}

const said = (page) => page.locator(".bubble.assistant .words").allInnerTexts();

const scenarios = {
  // From an empty account to a goal with tasks, by keyboard where that is the question.
  async plan() {
    const page = await tab(await open({ locale: "es-ES" }));
    await page.getByRole("button", { name: "Soy nueva" }).click();
    await page.getByLabel("Nombre").fill("ana");
    await page.getByLabel("Correo").fill("ana@example.org");
    await page.getByLabel("Contraseña").fill("una frase larga y azul 9");
    await page.getByRole("button", { name: "Crear una cuenta" }).click();
    await page.getByText("Aún no tienes metas").waitFor();
    await page.keyboard.press("Tab");
    await page.getByRole("link", { name: "Planifica la primera" }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Tu mensaje").fill("Quiero probar mi API");
    await page.keyboard.press("Enter");
    const items = page.locator(".draft .item");
    await items.nth(1).waitFor();
    const tool = await page.locator("details.tool").evaluate((one) => one.open);
    const save = page.getByRole("button", { name: "Guardar las decisiones" });
    const early = await save.isDisabled();
    await items.nth(0).getByRole("radio", { name: "Editar" }).focus();
    await page.keyboard.press("Space");
    await items.nth(0).getByLabel("Título").fill("Mi propio título");
    await items.nth(1).getByRole("radio", { name: "Rechazar" }).focus();
    await page.keyboard.press("Space");
    await save.click();
    await page.getByRole("button", { name: "Planificar sus tareas" }).click();
    await page.getByRole("button", { name: "Aceptar todo" }).click();
    await save.click();
    await page.getByRole("link", { name: "Ver la meta y sus tareas" }).click();
    await page.locator(".graph .node").first().waitFor();
    const goal = {
      title: await page.locator("h1").innerText(),
      nodes: await page.locator(".graph .node").count(),
      edges: await page.locator(".graph .edge").count(),
      rows: await page.locator("tbody tr").count(),
      path: await page.getByText("Ruta crítica: ").innerText(),
    };
    await page.locator(".graph .node").first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Criterios" }).waitFor();
    return { lang: await page.locator("html").getAttribute("lang"), tool, early, goal, task: await page.locator("h1").innerText() };
  },

  // The line is cut in the midst of an answer: it goes on where it was.
  async cut() {
    const page = await tab(await open({ token: args.token }), "#/plan");
    await page.getByLabel("Your message").fill("Hello");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("One moment,").waitFor();
    await wait("streaming");
    await page.getByText("The connection was cut").waitFor();
    const during = await said(page);
    await wait("cut");
    await page.getByText("One moment, here it is.").waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
    const after = await said(page);
    await page.reload();
    await page.getByText("One moment, here it is.").waitFor();
    return { during, after, reloaded: await said(page), asked: await page.locator(".bubble.user").count() };
  },

  // Two tabs in one conversation: while it answers, and with a plan that waits.
  async tabs() {
    const context = await open({ token: args.token });
    const first = await tab(context, "#/plan");
    await first.getByLabel("Your message").fill("Hello");
    await first.getByRole("button", { name: "Send" }).click();
    await first.getByText("One moment,").waitFor();
    const second = await tab(context, new URL(first.url()).hash);
    await second.getByText("One moment,").waitFor();
    await second.getByRole("button", { name: "Stop" }).waitFor();
    const joined = await said(second);
    await wait("both listen");
    for (const page of [first, second]) await page.getByText("One moment, here it is.").waitFor();
    await second.getByLabel("Your message").fill("Plan it");
    await second.getByRole("button", { name: "Send" }).click();
    await second.getByRole("button", { name: "Accept all" }).waitFor();
    await first.getByRole("button", { name: "Accept all" }).waitFor(); // told by the other tab
    await first.getByRole("radio", { name: "Reject" }).first().focus();
    await first.keyboard.press("Space");
    await second.getByRole("button", { name: "Accept all" }).click();
    await second.getByRole("button", { name: "Save the decisions" }).click();
    await second.getByRole("heading", { name: "Saved" }).waitFor();
    await first.getByRole("button", { name: "Accept all" }).click();
    await first.getByRole("button", { name: "Save the decisions" }).click();
    const stale = await first.getByText("decided already").innerText();
    return { joined, stale };
  },

  // A conversation that answers elsewhere refuses a second message, and shows the first one's answer.
  async active() {
    const page = await tab(await open({ token: args.token }), `#/plan/${args.thread}`);
    await page.getByText("Earlier words").waitFor();
    await wait("open");
    await page.getByLabel("Your message").fill("Me too");
    await page.getByRole("button", { name: "Send" }).click();
    const told = await page.getByRole("alert").innerText();
    const kept = await page.getByLabel("Your message").inputValue();
    await page.getByRole("button", { name: "Show that answer" }).click();
    await page.getByText("One moment,").waitFor();
    await wait("shown");
    await page.getByText("One moment, here it is.").waitFor();
    return { told, kept };
  },

  // What axe-core finds in every view, in both themes and at a phone's width.
  async accessible() {
    const views = {
      "goals": [`#/goals`, ".cards"],
      "goal": [`#/goals/${args.goal}`, ".graph"],
      "task": [`#/tasks/${args.task}`, ".finding"],
      "activity": ["#/activity", ".chart"],
      "plan": [`#/plan/${args.thread}`, ".draft .item"],
      "new plan": ["#/plan", ".welcome"],
      "nothing": ["#/nowhere", "h1"],
      "not mine": ["#/goals/gol_00000000000000000000000000000000", ".problem"],
    };
    const found = [];
    const wide = [];
    let checked = 0;
    const check = async (name, page) => {
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      checked += 1;
      for (const one of violations) found.push(`${name}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) wide.push(name);
      if (args.shots) await page.screenshot({ path: `${args.shots}/${name.replaceAll(" ", "-")}.png`, fullPage: true });
    };
    for (const [kind, options] of Object.entries({
      light: { colorScheme: "light" },
      dark: { colorScheme: "dark", locale: "es-ES" },
      phone: { colorScheme: "light", viewport: PHONE },
    })) {
      const out = await tab(await open({ axe: true, ...options }));
      await out.locator("form").waitFor();
      await check(`${kind} sign in`, out);
      await out.locator("button.link").first().click();
      await check(`${kind} register`, out);
      const newcomer = await tab(await open({ axe: true, token: args.newcomer, ...options }), "#/goals");
      await newcomer.locator(".empty").waitFor();
      await check(`${kind} no goals`, newcomer);
      const page = await tab(await open({ axe: true, token: args.token, ...options }));
      for (const [name, [hash, shown]] of Object.entries(views)) {
        await page.goto(`${url}/${hash}`);
        await page.locator(shown).first().waitFor();
        if (name === "activity") for (const one of await page.locator(".plot summary").all()) await one.click();
        if (name === "plan") await page.locator('.choices label').nth(1).click();
        await check(`${kind} ${name}`, page);
      }
      await page.locator(".menu summary").first().click();
      await check(`${kind} settings`, page);
      await Promise.all(browser.contexts().map((context) => context.close()));
    }
    return { found, wide, checked };
  },

  // What is loaded, from where, how much of it, and when there is something to see.
  async weight() {
    const context = await open();
    const asked = [];
    context.on("request", (request) => asked.push(request.url()));
    const times = [];
    let bytes = 0;
    for (let round = 0; round < (args.rounds ?? 1); round += 1) {
      const fresh = await open();
      const page = await fresh.newPage();
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(`${url}/`);
      await page.locator("form").waitFor();
      await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
      times.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
      bytes = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, one) => sum + one.transferSize, 0));
      await fresh.close();
    }
    return { elsewhere: asked.filter((one) => !one.startsWith(url)), bytes, times };
  },

  // The sign-in ends while somebody is at work: they are told, and are back where they were.
  async ended() {
    const page = await tab(await open({ token: args.expired }), "#/activity");
    await page.getByText("Your sign-in has ended").waitFor();
    await page.getByRole("button", { name: "Sign in with a token" }).click();
    await page.getByLabel("Token").fill("nonsense");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    const refused = await page.getByRole("alert").innerText();
    await page.getByLabel("Token").fill(args.token);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: "Activity" }).waitFor();
    const away = await page.getByRole("alert").innerText();
    return { refused, away };
  },
};

try {
  const done = await scenarios[scenario]();
  assert.deepEqual(wrong, []);
  tell({ done });
} finally {
  await browser.close();
  process.stdin.destroy();
}
