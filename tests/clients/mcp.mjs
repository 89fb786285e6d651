// Calls the tools with MCP's own client: node mcp.mjs URL TOKEN. Prints what it saw, as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, token] = process.argv.slice(2);
const client = new Client({ name: "tests", version: "1.0.0" });
await client.connect(
  new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  }),
);
const { tools } = await client.listTools();
const listed = await client.callTool({ name: "list_goals_and_tasks", arguments: {} });
const missing = await client.callTool({ name: "next_task", arguments: { goal_id: "gol_missing" } });
await client.close();
console.log(
  JSON.stringify({
    tools: tools.map(({ name }) => name),
    goals: listed.structuredContent.goals.map(({ title }) => title),
    missing: { isError: missing.isError, text: missing.content[0].text },
  }),
);
