import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(__dirname, "../../..");
const read = (name: string) => fs.readFileSync(join(ROOT, name), "utf8");
const json = (name: string): Record<string, string> => JSON.parse(read(name));
const sources = fs.readdirSync(join(ROOT, "src")).map((name) => read(`src/${name}`));
const placeholders = (text: string) => (text.match(/\{\d+\}|\$\(\w+\)|\(command:\S+\)/g) ?? []).sort();

test("every text is there in Spanish, with the same places for values", () => {
  const english = sources.flatMap((source) =>
    [...source.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => JSON.parse(`"${text}"`)),
  ) as string[];

  const spanish = json("l10n/bundle.l10n.es.json");

  assert.deepEqual(Object.keys(spanish).sort(), [...new Set(english)].sort());
  for (const [text, translated] of Object.entries(spanish)) {
    assert.deepEqual(placeholders(translated), placeholders(text), text);
  }
});

test("every text of the manifest is there in both languages", () => {
  const used = [...read("package.json").matchAll(/"%(\w+)%"/g)].map(([, name]) => name);

  const [english, spanish] = [json("package.nls.json"), json("package.nls.es.json")];

  assert.deepEqual(Object.keys(english).sort(), [...new Set(used)].sort());
  assert.deepEqual(Object.keys(spanish).sort(), Object.keys(english).sort());
  for (const [name, text] of Object.entries(english)) {
    assert.deepEqual(placeholders(spanish[name]!), placeholders(text), name);
  }
});

test("the extension stays small and brings no library", () => {
  const lines = sources.flatMap((source) => source.split("\n"));
  const code = lines.filter((line) => !/^\s*(\/\/.*|\/\*.*|\*.*)?$/.test(line));

  assert.ok(code.length <= 600, `${code.length} lines of code`);
  assert.deepEqual(lines.filter((line) => line.length > 100 && !/\bt\(/.test(line)), []);
  assert.equal("dependencies" in json("package.json"), false);
});
