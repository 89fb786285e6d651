// Plans a goal with AG-UI's own client: node agui.mjs URL TOKEN. Prints what it saw, as JSON.
import { HttpAgent, randomUUID } from "@ag-ui/client";

const [url, token] = process.argv.slice(2);
const seen = [];
const agent = new HttpAgent({
  url: `${url}/v1/agui`,
  headers: { Authorization: `Bearer ${token}` },
  threadId: randomUUID(),
});
agent.subscribe({ onEvent: ({ event }) => void seen.push(event.type) });

agent.messages = [{ id: randomUUID(), role: "user", content: "Quiero probar mi API" }];
await agent.runAgent();
const plan = agent.state.plan;
const [interrupt] = agent.pendingInterrupts ?? [];
const id = interrupt?.id ?? plan.interrupt_id;
const decisions = Object.fromEntries(
  plan.items.map((item, at) => [item.key, { action: at === 0 ? "accept" : "reject" }]),
);
const first = seen.splice(0);

await agent.runAgent({
  resume: [{ interruptId: id, status: "resolved", payload: { decisions } }],
});
console.log(
  JSON.stringify({
    first,
    second: seen,
    interrupt: id,
    state: agent.state,
    messages: agent.messages.map(({ role, content }) => ({ role, content })),
  }),
);
