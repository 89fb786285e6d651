// Talks with OpenAI's own client: node chat.mjs URL TOKEN. Prints what it saw, as JSON.
import OpenAI from "openai";

const [url, token] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "user", content: "Quiero probar mi API" }];

const stream = await client.chat.completions.create({
  model,
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
let streamed = "";
let usage = null;
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}

const command = streamed.split("\n").find((line) => line.startsWith("/accept"));
messages.push({ role: "assistant", content: streamed }, { role: "user", content: command });
const whole = await client.chat.completions.create({ model, messages });

let refused = null;
try {
  await client.chat.completions.create({ model, messages });
} catch (error) {
  refused = { status: error.status, code: error.code, message: error.message };
}
console.log(
  JSON.stringify({ model, streamed, usage, answer: whole.choices[0].message.content, refused }),
);
