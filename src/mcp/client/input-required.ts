/** `input_required` of revision 2026-07-28: a result that is none yet, since the server needs something of the client first. */
import { AppError } from '../../kernel/index.ts';
import { paramSpan, readEnvelope, type RpcRequest, type RpcResponse, resultOf } from '../protocol/message.ts';
import { type Edit, insertMembers, membersOf, slice, stringAt } from '../protocol/raw-json.ts';

/** Requests whose result may be of that kind, and during which an older server may ask its client. */
const ASKING: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

export const mayAsk = (method: string): boolean => ASKING.has(method);

export interface InputRequired {
  /** By the server's keys. */
  readonly questions: ReadonlyMap<string, RpcRequest>;
  /** What goes back to the server with the answers, as it wrote it; null: nothing. */
  readonly stateText: string | null;
}

/** @returns null for a result that is one. @throws AppError `upstream_input_malformed` */
export function inputRequired(slug: string, response: RpcResponse): InputRequired | null {
  const result = resultOf(response);
  const members = result === null ? null : membersOf(response.text, result.start);
  if (members === null || stringAt(response.text, members.get('resultType')) !== 'input_required')
    return null;
  const state = members.get('requestState');
  const asked = members.get('inputRequests');
  const entries = asked === undefined ? new Map() : membersOf(response.text, asked.start);
  if (entries === null || (asked === undefined && state === undefined)) throw malformed(slug);
  const questions = new Map<string, RpcRequest>();
  for (const [key, span] of entries) questions.set(key, questionOf(slug, slice(response.text, span)));
  return { questions, stateText: state === undefined ? null : slice(response.text, state) };
}

/** What makes of a request its retry: the answers and the state, in place of any that stood there. */
export function retryEdits(
  request: RpcRequest,
  answers: ReadonlyMap<string, string>,
  stateText: string | null,
): readonly Edit[] {
  const params = request.members.get('params');
  const members = params === undefined ? null : membersOf(request.text, params.start);
  if (params === undefined || members === null) return [];
  const given = [...answers].map(([key, answer]) => `${JSON.stringify(key)}:${answer}`);
  const values = [
    ['inputResponses', answers.size === 0 ? null : `{${given.join(',')}}`],
    ['requestState', stateText],
  ] as const;
  return values.flatMap(([name, text]) => {
    if (text === null) return [];
    const span = members.get(name);
    const edit =
      span === undefined ? insertMembers(request.text, params.start, `"${name}":${text}`) : { ...span, text };
    return [edit];
  });
}

/** Of the parameters, those that are about the answers of a client and not about what is asked for. */
export const ABOUT_INPUT: ReadonlySet<string> = new Set(['_meta', 'inputResponses', 'requestState']);

/** The client's answers by key, each as it wrote it. */
export function inputResponses(request: RpcRequest): ReadonlyMap<string, string> {
  const span = paramSpan(request, 'inputResponses');
  const members = span === null ? null : membersOf(request.text, span.start);
  return new Map([...(members ?? [])].map(([key, value]) => [key, slice(request.text, value)]));
}

function questionOf(slug: string, text: string): RpcRequest {
  const members = membersOf(text);
  const method = members?.get('method');
  const params = members?.get('params');
  if (method === undefined) throw malformed(slug);
  const rest = params === undefined ? '' : `,"params":${slice(text, params)}`;
  const parsed = readEnvelope(`{"jsonrpc":"2.0","id":0,"method":${slice(text, method)}${rest}}`);
  if (!parsed.ok || parsed.value.kind !== 'request') throw malformed(slug);
  return parsed.value;
}

const malformed = (slug: string): AppError =>
  new AppError(
    'upstream_input_malformed',
    `The server "${slug}" asks for input in a way that cannot be read.`,
    {
      kind: 'unavailable',
    },
  );
