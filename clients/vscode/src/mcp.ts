/** The service's MCP server, for the editor's own agents. */
import * as vscode from "vscode";
import type { Session } from "./session";

type Server = { headers: Record<string, string> };
/** VS Code 1.101 and later; the oldest one that this extension runs in does not let us. */
type Api = {
  McpHttpServerDefinition?: new (label: string, uri: vscode.Uri) => Server;
  lm: { registerMcpServerDefinitionProvider?(id: string, provider: object): vscode.Disposable };
};

/** Offer the server at `<address>/mcp`; its token is read when the user starts it. */
export function registerMcpServer(session: Session, subscriptions: vscode.Disposable[]): void {
  const { McpHttpServerDefinition: Definition, lm } = vscode as unknown as Api;
  if (!Definition || !lm.registerMcpServerDefinitionProvider) {
    return;
  }
  const provider = {
    onDidChangeMcpServerDefinitions: session.onDidChange,
    provideMcpServerDefinitions: async () =>
      session.hasConsent
        ? [new Definition("AI Goals Tracker", vscode.Uri.parse(`${session.address}/mcp`))]
        : [],
    resolveMcpServerDefinition: async (server: Server) => {
      server.headers = { Authorization: `Bearer ${(await session.caller()).token}` };
      return server;
    },
  };
  try {
    subscriptions.push(lm.registerMcpServerDefinitionProvider("goals.mcp", provider));
  } catch {
    // VS Code 1.100 has the function as a proposal, and refuses those who are not invited.
  }
}
