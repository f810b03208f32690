/** Tools and a prompt that want something of their client before they answer. */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ElicitRequestFormParams,
  type InputRequests,
  inputRequired,
  inputResponse,
  type McpServer,
  type RequestStateCodec,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './contents.ts';

const annotations = { readOnlyHint: true };
type Form = ElicitRequestFormParams['requestedSchema'];

const form = (properties: Form['properties']): Form => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
});

const ask = {
  name: inputRequired.elicit({
    message: 'What is your name?',
    requestedSchema: form({ name: { type: 'string' } }),
  }),
  sample: (prompt: string, maxTokens: number) =>
    inputRequired.createMessage({
      messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
      maxTokens,
    }),
};

/** What the client's model said; undefined where it was not asked yet. */
function sampled(context: ServerContext, key: string): string | undefined {
  const view = inputResponse(context.mcpReq.inputResponses, key);
  if (view.kind !== 'sampling') return undefined;
  const blocks = [view.result.content].flat();
  return blocks.map((block) => (block.type === 'text' ? block.text : block.type)).join(' ');
}

const roots = (context: ServerContext, key: string): string | undefined => {
  const view = inputResponse(context.mcpReq.inputResponses, key);
  return view.kind === 'roots' ? view.roots.map(({ uri }) => uri).join(' ') : undefined;
};

export function addAskingTools(server: McpServer, states: RequestStateCodec<string>): void {
  const tool = (name: string, description: string) => [name, { description, annotations }] as const;

  server.registerTool(
    'test_sampling',
    { description: 'Asks for a model.', inputSchema: z.object({ prompt: z.string() }), annotations },
    ({ prompt }, context) => {
      const said = sampled(context, 'sample');
      if (said === undefined) return inputRequired({ inputRequests: { sample: ask.sample(prompt, 100) } });
      return text(`LLM response: ${said}`);
    },
  );
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the user.', inputSchema: z.object({ message: z.string() }), annotations },
    ({ message }, context) =>
      elicited(context, 'User response', message, {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      }),
  );
  server.registerTool(...tool('test_elicitation_sep1034_defaults', 'Asks with defaults.'), (context) => {
    const properties: Form['properties'] = {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    };
    return elicited(context, 'Elicitation completed', 'Defaults', properties, []);
  });
  server.registerTool(...tool('test_elicitation_sep1330_enums', 'Asks for choices.'), (context) => {
    const titled = (word: string, of: string) =>
      ['First', 'Second', 'Third'].map((nth, index) => ({
        const: `${word}${index + 1}`,
        title: `${nth} ${of}`,
      }));
    const properties: Form['properties'] = {
      untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
      titledSingle: { type: 'string', oneOf: titled('value', 'Option') },
      legacyEnum: {
        type: 'string',
        enum: ['opt1', 'opt2', 'opt3'],
        enumNames: ['Option One', 'Option Two', 'Option Three'],
      },
      untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
      titledMulti: { type: 'array', items: { anyOf: titled('value', 'Choice') } },
    };
    return elicited(context, 'Elicitation completed', 'Choices', properties, []);
  });
  server.registerTool(...tool('test_elicitation_url', 'Sends the user to a page.'), (context) => {
    const view = inputResponse(context.mcpReq.inputResponses, 'page');
    if (view.kind === 'elicit') return text(`page ${view.action}`);
    const page = inputRequired.elicitUrl({ message: 'Look there', url: 'https://pages.example/form' });
    return inputRequired({ inputRequests: { page } });
  });
  server.registerTool(...tool('test_streaming_elicitation', 'Logs, then asks the user.'), async (context) => {
    await context.mcpReq.log('info', 'about to ask');
    return elicited(context, 'User response', 'Go on?', { ok: { type: 'boolean' } });
  });
  server.registerTool(...tool('test_missing_capability', 'Cannot do without a model.'), (context) => {
    const said = sampled(context, 'needed');
    return said === undefined
      ? inputRequired({ inputRequests: { needed: ask.sample('Needed', 10) } })
      : text(said);
  });

  server.registerTool(...tool('test_input_required_result_elicitation', 'Asks for a name.'), (context) => {
    const given = acceptedContent(context.mcpReq.inputResponses, 'user_name', z.object({ name: z.string() }));
    return given === undefined
      ? inputRequired({ inputRequests: { user_name: ask.name } })
      : text(`Hello, ${given.name}!`);
  });
  server.registerTool(...tool('test_input_required_result_sampling', 'Asks for a capital.'), (context) => {
    const said = sampled(context, 'capital_question');
    const question = ask.sample('What is the capital of France?', 100);
    return said === undefined ? inputRequired({ inputRequests: { capital_question: question } }) : text(said);
  });
  server.registerTool(...tool('test_input_required_result_list_roots', 'Asks for roots.'), (context) => {
    const given = roots(context, 'client_roots');
    return given === undefined
      ? inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
      : text(`Roots: ${given}`);
  });

  const confirm = inputRequired.elicit({
    message: 'Please confirm',
    requestedSchema: form({ ok: { type: 'boolean' } }),
  });
  for (const name of [
    'test_input_required_result_request_state',
    'test_input_required_result_tampered_state',
  ]) {
    server.registerTool(...tool(name, 'Asks, and gives its state along.'), async (context) => {
      const state = context.mcpReq.requestState<string>();
      if (state === 'confirm' && acceptedContent(context.mcpReq.inputResponses, 'confirm') !== undefined)
        return text('state-ok');
      return inputRequired({
        inputRequests: { confirm },
        requestState: await states.mint('confirm', context),
      });
    });
  }
  server.registerTool(
    ...tool('test_input_required_result_multiple_inputs', 'Asks for three things.'),
    async (context) => {
      const name = acceptedContent<{ name: string }>(context.mcpReq.inputResponses, 'user_name')?.name;
      const greeting = sampled(context, 'greeting');
      const given = roots(context, 'client_roots');
      if (name !== undefined && greeting !== undefined && given !== undefined)
        return text(`${greeting}, ${name} of ${given}`);
      return inputRequired({
        inputRequests: {
          user_name: ask.name,
          greeting: ask.sample('Generate a greeting', 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await states.mint('three', context),
      });
    },
  );
  server.registerTool(...tool('test_input_required_result_multi_round', 'Asks twice.'), async (context) => {
    const { inputResponses } = context.mcpReq;
    const state = context.mcpReq.requestState<string>();
    const color = acceptedContent<{ color: string }>(inputResponses, 'step2')?.color;
    if (state?.startsWith('2:') === true && color !== undefined)
      return text(`${state.slice(2)} likes ${color}`);
    const name = acceptedContent<{ name: string }>(inputResponses, 'step1')?.name;
    const second = state === '1' && name !== undefined;
    const question = second ? 'Step 2: What is your favorite color?' : 'Step 1: What is your name?';
    const requestedSchema = form(second ? { color: { type: 'string' } } : { name: { type: 'string' } });
    return inputRequired({
      inputRequests: {
        [second ? 'step2' : 'step1']: inputRequired.elicit({ message: question, requestedSchema }),
      },
      requestState: await states.mint(second ? `2:${name}` : '1', context),
    });
  });
  server.registerTool(
    ...tool('test_input_required_result_capabilities', 'Asks for what its client can do.'),
    (context) => {
      const can = capabilities(server, context);
      const inputRequests: InputRequests = {
        ...(can.has('elicitation') ? { user_name: ask.name } : {}),
        ...(can.has('sampling') ? { greeting: ask.sample('Generate a greeting', 50) } : {}),
        ...(can.has('roots') ? { client_roots: inputRequired.listRoots() } : {}),
      };
      const answered = Object.keys(context.mcpReq.inputResponses ?? {});
      if (Object.keys(inputRequests).every((key) => answered.includes(key))) return text(answered.join(' '));
      return inputRequired({ inputRequests });
    },
  );

  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks for its context.' },
    (context) => {
      const given = acceptedContent<{ context: string }>(context.mcpReq.inputResponses, 'user_context');
      if (given !== undefined)
        return { messages: [{ role: 'user', content: { type: 'text', text: `In ${given.context}` } }] };
      const message = 'What context should the prompt use?';
      const requestedSchema = form({ context: { type: 'string' } });
      return inputRequired({
        inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema }) },
      });
    },
  );
}

/** What the client of this request said that it can do, in either revision's way. */
function capabilities(server: McpServer, context: ServerContext): ReadonlySet<string> {
  const envelope: Record<string, unknown> = context.mcpReq.envelope ?? {};
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] ?? server.server.getClientCapabilities();
  return new Set(Object.keys(declared ?? {}));
}

function elicited(
  context: ServerContext,
  label: string,
  message: string,
  properties: Form['properties'],
  required: readonly string[] = Object.keys(properties),
) {
  const view = inputResponse(context.mcpReq.inputResponses, 'form');
  if (view.kind === 'elicit')
    return text(`${label}: action=${view.action}, content=${JSON.stringify(view.content ?? {})}`);
  const requestedSchema: Form = { type: 'object', properties, required: [...required] };
  return inputRequired({ inputRequests: { form: inputRequired.elicit({ message, requestedSchema }) } });
}
