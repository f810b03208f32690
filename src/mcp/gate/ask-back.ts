/**
 * A client with a session in front of a server of revision 2026-07-28: what the server needs before it answers becomes
 * requests to the client, and their answers another try. The client sees one request that takes a while.
 *
 * Must never ask what the client did not say that it answers, and must come to an end whatever the server says.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { withdrawal } from '../protocol/cancellation.ts';
import { isInputMethod } from '../client/client-abilities.ts';
import { type InputRequired, inputRequired, retryEdits } from '../client/input-required.ts';
import {
  readEnvelope,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from '../protocol/message.ts';
import { paramString } from '../protocol/message.ts';
import { type Edit, find, insertMembers, slice, splice } from '../protocol/raw-json.ts';
import type { RequestControl } from '../client/request-control.ts';
import type { Attachment } from '../upstream/server-requests.ts';

export interface AskedRequest {
  readonly slug: string;
  readonly message: RpcRequest;
  /** Who can be asked; null: nobody. */
  readonly owner: Attachment | null;
  readonly control: RequestControl;
  /** Tries again. */
  readonly send: (edits: readonly Edit[]) => Promise<RpcResponse>;
}

/**
 * @param first what the server answered
 * @returns its last answer, or the error of the client, where that is what it said to a question
 * @throws AppError `upstream_input_…`, `client_absent`, and as `send`
 */
export async function askBack(asked: AskedRequest, first: RpcResponse): Promise<RpcResponse> {
  let response = first;
  let questions = 0;
  for (let round = 0; ; round += 1) {
    const input = inputRequired(asked.slug, response);
    if (input === null) return response;
    questions += input.questions.size;
    if (round === limits.mcpInputRoundsMax || questions > limits.mcpInputQuestionsMax)
      throw endless(asked.slug);
    const answers = await collect(asked, input);
    if (!(answers instanceof Map)) return answers;
    response = await asked.send(retryEdits(asked.message, answers, input.stateText));
  }
}

/** @returns the result of each by its key, or the first error */
async function collect(
  asked: AskedRequest,
  { questions }: InputRequired,
): Promise<Map<string, string> | RpcResponse> {
  const { slug, owner, control } = asked;
  for (const question of questions.values()) checkQuestion(slug, owner, question);
  if (owner === null || questions.size === 0) return new Map();
  const withdrawals = new Map<string, (notification: RpcNotification) => void>();
  /** An answer may be there before its question can be withdrawn: one that cannot be masked has it at once. */
  const answered = new Set<string>();
  const ended = Promise.withResolvers<never>();
  control.onEnd(() => ended.reject(control.ended));
  const timer = setTimeout(() => ended.reject(unanswered(slug)), limits.mcpRequestIdleMs);
  try {
    const answers = [...questions].map(([key, question]) => {
      const { promise, resolve } = Promise.withResolvers<readonly [string, RpcResponse]>();
      const withdraw = owner.ask(
        named(slug, question),
        (response) => {
          answered.add(key);
          resolve([key, response]);
        },
        asked.message.idText,
      );
      withdrawals.set(key, withdraw);
      return promise.then((answer) => (answer[1].failed ? Promise.reject(new Refused(answer[1])) : answer));
    });
    const given = await Promise.race([Promise.all(answers), ended.promise]);
    return new Map(given.map(([key, response]) => [key, resultTextOf(response)]));
  } catch (error) {
    if (error instanceof Refused) return error.response;
    throw error;
  } finally {
    clearTimeout(timer);
    // Nobody waits for the others any more.
    for (const [key, withdraw] of withdrawals)
      if (!answered.has(key)) withdraw(withdrawal('No answer is needed any more.'));
  }
}

class Refused extends Error {
  readonly response: RpcResponse;

  constructor(response: RpcResponse) {
    super('the client answered with an error');
    this.response = response;
  }
}

/** @throws AppError where it may not be put to this client */
function checkQuestion(slug: string, owner: Attachment | null, question: RpcRequest): void {
  if (owner === null || !owner.reachable()) {
    throw new AppError(
      'client_absent',
      `The server "${slug}" asks for input, and nobody is there to give it.`,
      {
        kind: 'unavailable',
        hint: 'Call it with an MCP client that answers such requests.',
      },
    );
  }
  if (!isInputMethod(question.method) || !owner.answers(question)) {
    throw new AppError(
      'upstream_input_unsupported',
      `The server "${slug}" asks for ${question.method.slice(0, 60)}, which this client does not answer.`,
      { kind: 'unavailable' },
    );
  }
}

let addressesShown = 0;

/** Before 2026-07-28 each address that a client is sent to has a name of its own. */
function named(slug: string, question: RpcRequest): RpcRequest {
  const params = question.members.get('params');
  const hasName = params !== undefined && find(question.text, params.start, ['elicitationId']) !== null;
  if (params === undefined || hasName || paramString(question, 'mode') !== 'url') return question;
  addressesShown += 1;
  const name = `"elicitationId":${JSON.stringify(`${slug}-${addressesShown}`)}`;
  const parsed = readEnvelope(splice(question.text, [insertMembers(question.text, params.start, name)]));
  return parsed.ok && parsed.value.kind === 'request' ? parsed.value : question;
}

const resultTextOf = ({ text, members }: RpcResponse): string => {
  const result = members.get('result');
  return result === undefined ? 'null' : slice(text, result);
};

const endless = (slug: string): AppError =>
  new AppError('upstream_input_endless', `The server "${slug}" asks for input again and again.`, {
    kind: 'unavailable',
  });

const unanswered = (slug: string): AppError =>
  new AppError('client_silent', `What the server "${slug}" asks for was not answered.`, {
    kind: 'unavailable',
  });
