/**
 * The everything server: each feature of MCP once, under the names that the official conformance suite asks for, and
 * some more for the matrix. Built on the SDK, so that what is measured is what real servers send. What a tool wants of
 * its client it returns as `inputRequired`: to a client of 2026-07-28 that is the answer, to an older one the SDK
 * sends it as requests of its own.
 */
import { randomBytes } from 'node:crypto';
import { createRequestStateCodec, type McpRequestContext, McpServer } from '@modelcontextprotocol/server';
import { addAskingTools } from './asking-tools.ts';
import { addPlainTools } from './plain-tools.ts';
import { addPrompts } from './prompts.ts';
import { addResources } from './resources.ts';

/** Where several instances serve the clients of one endpoint, all of their clients are told. */
export interface Announce {
  toolsChanged(): void;
  promptsChanged(): void;
  resourceUpdated(uri: string): void;
}

/** What calls change; shared by the instances of one process. */
const shown = { tool: false, prompt: false };
const states = createRequestStateCodec<string>({ key: randomBytes(32) });

export type ServedEra = McpRequestContext['era'];

/** @param announce null: an instance has its clients to itself, and tells them */
export function everythingServer(era: ServedEra, announce: Announce | null): McpServer {
  const server = new McpServer(
    { name: 'everything', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        logging: {},
        completions: {},
      },
      instructions: 'Every feature of MCP, once.',
      requestState: { verify: (state, context) => states.verify(state, context) },
    },
  );
  addPlainTools(server);
  addAskingTools(server, states);
  addPrompts(server);
  const update = addResources(server, era, announce);

  const extraTool = server.registerTool(
    'test_extra_tool',
    { description: 'Is there or not.', annotations: { readOnlyHint: true } },
    () => ({ content: [] }),
  );
  const extraPrompt = server.registerPrompt('test_extra_prompt', { description: 'Is there or not.' }, () => ({
    messages: [],
  }));
  if (!shown.tool) extraTool.disable();
  if (!shown.prompt) extraPrompt.disable();

  server.registerTool(
    'test_era',
    { description: 'Says in which era it is spoken to.', annotations: { readOnlyHint: true } },
    () => ({ content: [{ type: 'text', text: era }] }),
  );
  const trigger = (name: string, description: string, change: () => void): void => {
    server.registerTool(name, { description, annotations: { readOnlyHint: true } }, () => {
      change();
      return { content: [{ type: 'text', text: 'changed' }] };
    });
  };
  trigger('test_trigger_tool_change', 'Adds a tool, or takes it away.', () => {
    shown.tool = !shown.tool;
    if (shown.tool) extraTool.enable();
    else extraTool.disable();
    announce?.toolsChanged();
  });
  trigger('test_trigger_prompt_change', 'Adds a prompt, or takes it away.', () => {
    shown.prompt = !shown.prompt;
    if (shown.prompt) extraPrompt.enable();
    else extraPrompt.disable();
    announce?.promptsChanged();
  });
  trigger('test_trigger_resource_update', 'Updates the watched resource.', update);
  return server;
}
