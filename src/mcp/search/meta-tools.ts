/**
 * The two tools of a profile that is searched: what clients are told of them, and what a call of either asks for. Pure.
 *
 * Must leave what is called as it was written: a call through `call_tool` is the call of that tool, and nothing of it
 * may be read in two ways.
 */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { checkJson } from '../../wire/index.ts';
import { isInMeasure } from '../protocol/client-input.ts';
import { paramSpan, readEnvelope, type RpcRequest, rewritten } from '../protocol/message.ts';
import { printable } from '../protocol/printable.ts';
import { insertMembers, membersOf, type Edit, slice, type Span, stringAt } from '../protocol/raw-json.ts';

export const FIND = 'find_tools';
export const CALL = 'call_tool';

/** What is behind the two: a server, and how many of its tools this caller may use. */
export interface Offer {
  readonly slug: string;
  readonly title: string | null;
  readonly count: number;
}

const TITLE_CHARS_MAX = 60;

/** `github (GitHub, 26)` */
const named = ({ slug, title, count }: Offer): string => {
  const shown =
    title === null || title === slug ? '' : `${printable(title, TITLE_CHARS_MAX).replaceAll(/\s+/g, ' ')}, `;
  return `${slug} (${shown}${count})`;
};

export function namedOffers(offers: readonly Offer[]): string {
  const shown = offers.slice(0, limits.mcpFindServersNamedMax).map(named).join(', ');
  const more = offers.length - limits.mcpFindServersNamedMax;
  return more > 0 ? `${shown}, and ${more} more` : shown;
}

/** Both definitions, as the items of a list. */
export function metaTools(offers: readonly Offer[]): readonly string[] {
  const count = offers.reduce((sum, offer) => sum + offer.count, 0);
  const tools = `${count} ${count === 1 ? 'tool' : 'tools'}`;
  const servers =
    offers.length === 0 ? '' : ` Servers, with how many tools each has: ${namedOffers(offers)}.`;
  const find = {
    name: FIND,
    title: 'Find tools',
    description:
      `Finds tools by what they do. ${tools} can be used here, and none of them is listed: search before saying that ` +
      `something cannot be done. Answers with the definitions of the tools that fit best; ${CALL} calls one.${servers}`,
    inputSchema: {
      type: 'object',
      properties: {
        query: {
          type: 'string',
          description: 'What is to be done, in a few words: "create an issue". Or the name of a tool.',
        },
        server: { type: 'string', description: 'Only tools of this server.' },
        limit: {
          type: 'integer',
          minimum: 1,
          maximum: limits.mcpFindToolsMax,
          default: limits.mcpFindTools,
          description: 'How many tools at most.',
        },
      },
      required: ['query'],
    },
    outputSchema: {
      type: 'object',
      properties: { tools: { type: 'array', items: { type: 'object' } }, more: { type: 'boolean' } },
      required: ['tools'],
    },
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  };
  const call = {
    name: CALL,
    title: 'Call a tool',
    description: `Calls a tool that ${FIND} found, and answers with its result.`,
    inputSchema: {
      type: 'object',
      properties: {
        name: { type: 'string', description: `The name of the tool, as ${FIND} gives it.` },
        arguments: { type: 'object', description: "Its arguments, as the tool's inputSchema wants them." },
      },
      required: ['name'],
    },
  };
  return [JSON.stringify(find), JSON.stringify(call)];
}

export interface Asked {
  readonly query: string;
  readonly server: string | null;
  readonly limit: number;
}

/** What a call of `find_tools` asks for, or what is wrong with it, for whoever wrote it. */
export function askedOf(message: RpcRequest): Result<Asked, string> {
  const given = argumentsOf(message);
  if (given === null) return err('"arguments" must be an object that names nothing twice.');
  const query = stringAt(message.text, given.get('query'));
  if (query === null) return err('"query" must be a string: what is to be done, in a few words.');
  const server = valueOf(message, given.get('server'));
  if (server !== undefined && typeof server !== 'string') return err('"server" must be a string.');
  const limit = valueOf(message, given.get('limit')) ?? limits.mcpFindTools;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1)
    return err(`"limit" must be a whole number from 1 to ${limits.mcpFindToolsMax}.`);
  return ok({ query, server: server ?? null, limit: Math.min(limit, limits.mcpFindToolsMax) });
}

/**
 * The call that a call of `call_tool` stands for: the same request, with its id and whatever else it carries, by the name
 * and with the arguments that it gives. Or what is wrong with it, for whoever wrote it.
 *
 * Arguments may come as a string with the object in it, which is what some models make of a schema that says no more.
 */
export function calledThrough(message: RpcRequest): Result<RpcRequest, string> {
  const given = argumentsOf(message);
  const name = given?.get('name');
  if (given === null || name === undefined || stringAt(message.text, name) === null)
    return err(`"name" must be the name of a tool. Find one with ${FIND}.`);
  const inner = innerArguments(message.text, given.get('arguments'));
  if (inner === null) return err('"arguments" must be an object that names nothing twice.');
  const outer = paramSpan(message, 'arguments');
  const outerName = paramSpan(message, 'name');
  const params = message.members.get('params');
  if (outerName === null || params === undefined) return err('"name" must be the name of a tool.');
  const edits: Edit[] = [{ ...outerName, text: slice(message.text, name) }];
  if (outer === null) edits.push(insertMembers(message.text, params.start, `"arguments":${inner}`));
  else edits.push({ ...outer, text: inner });
  const called = readEnvelope(rewritten(message, null, edits));
  if (!called.ok || called.value.kind !== 'request') throw new Error('a call in another call is no request');
  return ok(called.value);
}

/** @returns null where they are no object, one that names a member twice, or more than a client may send */
function innerArguments(text: string, span: Span | undefined): string | null {
  if (span === undefined || slice(text, span) === 'null') return '{}';
  const written = stringAt(text, span);
  // In a string they are one value of the message, however many they are.
  if (written !== null && !isInMeasure(written)) return null;
  const checked = checkJson(written ?? slice(text, span), { charsMax: limits.mcpMessageBytesMax });
  const inner = checked.ok ? checked.value.trim() : '';
  return inner.startsWith('{') ? inner : null;
}

function argumentsOf(message: RpcRequest): ReadonlyMap<string, Span> | null {
  const span = paramSpan(message, 'arguments');
  return span === null ? new Map() : membersOf(message.text, span.start);
}

/** @returns undefined for none, and for null */
function valueOf(message: RpcRequest, span: Span | undefined): unknown {
  const value: unknown = span === undefined ? undefined : JSON.parse(slice(message.text, span));
  return value ?? undefined;
}
