/** The service's MCP server, for the editor's own agents. */
import * as vscode from "vscode";
import type { Session } from "./session";

/** Offer the server at `<address>/mcp`; its token is read when the user starts it. */
export function registerMcpServer(session: Session, subscriptions: vscode.Disposable[]): void {
  // Part of the API since VS Code 1.101, which is later than the oldest one that we run in.
  const { McpHttpServerDefinition: Definition, lm } = vscode as any;
  const provider = {
    onDidChangeMcpServerDefinitions: session.onDidChange,
    provideMcpServerDefinitions: () =>
      session.hasConsent && Definition
        ? [new Definition("AI Goals Tracker", vscode.Uri.parse(`${session.address}/mcp`))]
        : [],
    resolveMcpServerDefinition: async (server: { headers: object }) => {
      server.headers = { Authorization: `Bearer ${(await session.caller()).token}` };
      return server;
    },
  };
  try {
    const registered = lm.registerMcpServerDefinitionProvider?.("goals.mcp", provider);
    subscriptions.push(...(registered ? [registered] : []));
  } catch {
    // VS Code 1.100 has the function as a proposal, and refuses those who are not invited.
  }
}
