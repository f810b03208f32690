/** Tools that only answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromJsonSchema, type McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { PNG, SCHEMA_2020_12, text, WAV } from './contents.ts';

const annotations = { readOnlyHint: true };

/** Not a keyword of JSON Schema. */
const MIRRORED = { type: 'string' as const, description: 'Where', 'x-mcp-header': 'Region' };

export function addPlainTools(server: McpServer): void {
  const tool = (name: string, description: string) => [name, { description, annotations }] as const;

  server.registerTool(...tool('test_simple_text', 'Answers with text.'), () =>
    text('This is a simple text response for testing.'),
  );
  server.registerTool(...tool('test_image_content', 'Answers with an image.'), () => ({
    content: [{ type: 'image', data: PNG, mimeType: 'image/png' }],
  }));
  server.registerTool(...tool('test_audio_content', 'Answers with audio.'), () => ({
    content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
  }));
  server.registerTool(...tool('test_embedded_resource', 'Answers with a resource.'), () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  }));
  server.registerTool(...tool('test_multiple_content_types', 'Answers with several types.'), () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: '{"test":"data","value":123}',
        },
      },
    ],
  }));
  server.registerTool(...tool('test_error_handling', 'Always fails.'), () => ({
    ...text('This tool intentionally returns an error for testing'),
    isError: true,
  }));
  server.registerTool(
    'test_protocol_error',
    { description: 'Fails with a JSON-RPC error.', annotations },
    () => {
      throw new ProtocolError(-32_077, 'out of luck', { why: 'on purpose' });
    },
  );
  server.registerTool(...tool('test_tool_with_logging', 'Logs three times.'), async (context) => {
    const steps = ['Tool execution started', 'Tool processing data', 'Tool execution completed'];
    for (const step of steps) {
      await context.mcpReq.log('info', step);
      await sleep(50);
    }
    return text('logged');
  });
  server.registerTool(
    ...tool('test_logging_tool', 'Logs what its client wants to hear.'),
    async (context) => {
      await context.mcpReq.log('debug', 'details');
      await context.mcpReq.log('error', 'trouble');
      return text('logged');
    },
  );
  server.registerTool(
    'test_tool_with_progress',
    {
      description: 'Tells how far it is; with a label it answers once somebody says that this was heard.',
      inputSchema: z.object({ label: z.string().optional() }),
      annotations,
    },
    async ({ label }, context) => {
      const heard = label === undefined ? null : new Promise<void>((done) => unheard.set(label, done));
      const progressToken = context.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          const params = { progressToken, progress, total: 100 };
          await context.mcpReq.notify({ method: 'notifications/progress', params });
        }
        await sleep(20);
      }
      await heard;
      return text('done');
    },
  );
  server.registerTool(
    'test_progress_heard',
    {
      description: 'Says that the progress of a call was heard.',
      inputSchema: z.object({ label: z.string() }),
      annotations,
    },
    ({ label }) => {
      unheard.get(label)?.();
      unheard.delete(label);
      return text('heard');
    },
  );
  server.registerTool(
    'test_wait',
    {
      description: 'Ends when it is cancelled, and remembers that.',
      inputSchema: z.object({ label: z.string() }),
      annotations,
    },
    async ({ label }, context) => {
      waiting.add(label);
      const { signal } = context.mcpReq;
      if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done));
      waiting.delete(label);
      cancelled.push(label);
      return text('cancelled');
    },
  );
  server.registerTool(...tool('test_waits', 'Tells what waits and what was cancelled.'), () =>
    text(JSON.stringify({ waiting: [...waiting], cancelled })),
  );
  server.registerTool(
    'test_large',
    {
      description: 'Answers with as many bytes as are wanted.',
      inputSchema: z.object({ bytes: z.number() }),
      annotations,
    },
    ({ bytes }) => text('x'.repeat(bytes)),
  );
  server.registerTool(
    'test_mirrored_header',
    {
      description: 'Wants an argument in a header too.',
      inputSchema: fromJsonSchema({
        type: 'object',
        properties: {
          region: MIRRORED,
          query: { type: 'string', description: 'What' },
        },
        required: ['region', 'query'],
      }),
      annotations,
    },
    (given) => text(JSON.stringify(given)),
  );
  server.registerTool(
    'json_schema_2020_12_tool',
    {
      description: 'Tool with JSON Schema 2020-12 features',
      inputSchema: fromJsonSchema(SCHEMA_2020_12),
      annotations,
    },
    (given) => text(JSON.stringify(given)),
  );
  server.registerTool(
    ...tool('test_reconnection', 'Ends its stream before it answers, where it can.'),
    async (context) => {
      context.http?.closeSSE?.();
      await sleep(100);
      return text('reconnected');
    },
  );
}

/** Calls whose progress nobody said yet that they heard. */
const unheard = new Map<string, () => void>();
/** Calls that wait for their cancellation, and those that got it. */
const waiting = new Set<string>();
const cancelled: string[] = [];
