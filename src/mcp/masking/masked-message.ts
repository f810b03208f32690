/**
 * What rules mask in one message of a server. Everything in it is looked at; what both sides go by stays as it was, and so
 * does every byte that nothing was found in. What cannot be looked at is not let through.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { fitToSchema, type Masked, type MaskingHit } from '../../masking/index.ts';
import { isWithinMeasure } from '../../wire/index.ts';
import { readEnvelope, type RpcMessage, type RpcResponse } from '../protocol/message.ts';
import type { Maskers } from '../ports/masks.ts';
import { type Edit, find, insertMembers, membersOf, slice, splice, stringAt } from '../protocol/raw-json.ts';
import { maskPlaced } from './placed-values.ts';

/** Told of what was masked. */
export type Told = (hits: readonly MaskingHit[]) => void;

type Path = readonly string[];

/** A member that a client gives back as it came, or goes by. */
interface Kept {
  readonly path: Path;
  /** What it is then, as JSON; anything else is no such member. */
  readonly as: RegExp;
}

const ANY_STRING = /^"/;
const TOKEN = /^(?:"|-?\d{1,9}$)/;
const PROGRESS: Kept = { path: ['_meta', 'progressToken'], as: TOKEN };
const KEPT_OF_RESULT: readonly Kept[] = [
  { path: ['requestState'], as: ANY_STRING },
  { path: ['resultType'], as: /^"[a-z_]{1,32}"$/ },
  { path: ['isError'], as: /^(?:true|false)$/ },
];
const KEPT_OF_ERROR: readonly Kept[] = [{ path: ['code'], as: /^-?\d{1,9}$/ }];
const KEPT_OF_NOTICE: Readonly<Record<string, readonly Kept[]>> = {
  'notifications/progress': [{ path: ['progressToken'], as: TOKEN }],
  'notifications/cancelled': [{ path: ['requestId'], as: TOKEN }],
  'notifications/resources/updated': [{ path: ['uri'], as: ANY_STRING }],
  'notifications/elicitation/complete': [{ path: ['elicitationId'], as: ANY_STRING }],
};
/** Of a question to the person in front of a client: where they are sent, which is theirs alone to see. */
const KEPT_OF_QUESTION: readonly Kept[] = [
  { path: ['url'], as: ANY_STRING },
  { path: ['elicitationId'], as: ANY_STRING },
  PROGRESS,
];
const ASKS_PERSON = 'elicitation/create';

/**
 * A message, and of an answer its structured content as it has to be.
 *
 * @param schema what that has to be; null: anything
 * @returns the same object where nothing was found
 * @throws AppError `mask_answer_too_large`, `mask_failed`
 */
export function maskWith<Kind extends RpcMessage>(
  message: Kind,
  maskers: Maskers,
  told: Told,
  schema: string | null,
): Kind {
  const masked = maskMessage(message, maskers, told);
  if (masked === message) return message;
  const fits = schema === null || message.kind !== 'response' || masked.kind !== 'response';
  return alike(fits ? masked : fitted(message, masked, schema), message);
}

/** The same away from this thread where it is large. */
export async function maskAnywhere<Kind extends RpcMessage>(
  message: Kind,
  maskers: Maskers,
  told: Told,
  schema: string | null,
): Promise<Kind> {
  if (!isForElsewhere(message, maskers)) return maskWith(message, maskers, told, schema);
  const masked = await maskers.apart({ text: message.text, schema });
  if (masked.text === null) return message;
  const read = readEnvelope(masked.text);
  if (!read.ok) throw maskFailed(new Error(read.error.detail));
  told(masked.hits);
  return alike(read.value, message);
}

type Apart = Required<Pick<Maskers, 'apart'>>;

/** Whether a message is large enough to be worth the way to another thread, and not so large that it is refused at once. */
export const isForElsewhere = ({ text }: RpcMessage, maskers: Maskers): maskers is Maskers & Apart =>
  maskers.apart !== undefined &&
  text.length >= limits.maskingApartCharsMin &&
  text.length <= 2 * limits.maskingAnswerCharsMax;

/** @throws AppError `mask_failed` where a message is no longer one of its kind */
function alike<Kind extends RpcMessage>(masked: RpcMessage, message: Kind): Kind {
  if (isAlike(masked, message)) return masked;
  throw maskFailed(new Error(`it is no ${message.kind} any more`));
}

const isAlike = <Kind extends RpcMessage>(masked: RpcMessage, message: Kind): masked is Kind =>
  masked.kind === message.kind;

/** Says in `_meta` that structured content is not what its schema asks, because something in it is masked. */
const UNFIT = '"app.sallyport/masked":{"structuredContent":"does not fit its schema"}';

function fitted(response: RpcResponse, masked: RpcResponse, schema: string): RpcResponse {
  const path = ['result', 'structuredContent'];
  const [was, now] = [find(response.text, 0, path), find(masked.text, 0, path)];
  if (was === null || now === null) return masked;
  const text = fitting(slice(response.text, was), slice(masked.text, now), schema);
  const edits = text === null ? [unfitNote(masked)] : [{ ...now, text }];
  const read = readEnvelope(splice(masked.text, edits));
  if (!read.ok || read.value.kind !== 'response') throw maskFailed(new Error('it is no answer any more'));
  return read.value;
}

/** A schema that cannot be read asks for nothing that could be kept. */
function fitting(was: string, now: string, schema: string): string | null {
  try {
    return fitToSchema(was, now, schema);
  } catch {
    return null;
  }
}

function unfitNote({ text, members }: RpcResponse): Edit {
  const meta = find(text, 0, ['result', '_meta']);
  if (meta !== null && text[meta.start] === '{') return insertMembers(text, meta.start, UNFIT);
  return insertMembers(text, members.get('result')?.start ?? 0, `"_meta":{${UNFIT}}`);
}

/** Of an answer its result or error, of anything else its parameters. @returns the same object where nothing was found */
export function maskMessage(message: RpcMessage, maskers: Maskers, told: Told): RpcMessage {
  const { text, members } = message;
  if (message.kind !== 'response' && maskWords(message.method, maskers).hits.length > 0)
    throw maskFailed(new Error('what it is called is to be masked'));
  const edits: Edit[] = [];
  const hits: MaskingHit[] = [];
  for (const [name, span] of members) {
    if (OWN_MEMBERS.has(name)) continue;
    const value = slice(text, span);
    if (!CONTENTS.has(name) && maskWords(name, maskers).hits.length > 0)
      throw maskFailed(new Error('the name of a member is to be masked'));
    const masked = maskValue(value, maskers, keptOf(message, name, value));
    if (masked.hits.length === 0) continue;
    edits.push({ ...span, text: masked.text });
    hits.push(...masked.hits);
  }
  if (hits.length === 0) return message;
  const read = readEnvelope(splice(text, edits));
  if (!read.ok) throw maskFailed(new Error(read.error.detail));
  told(hits);
  return read.value;
}

/** What a message goes by; all else of it is content, what no revision of the protocol knows too. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method']);
const CONTENTS: ReadonlySet<string> = new Set(['result', 'error', 'params']);

function keptOf(message: RpcMessage, name: string, value: string): readonly Kept[] {
  if (message.kind === 'response')
    return name === 'error'
      ? KEPT_OF_ERROR
      : name === 'result'
        ? [...KEPT_OF_RESULT, ...questionsIn(value)]
        : [];
  if (name !== 'params') return [];
  if (message.kind === 'notification') return KEPT_OF_NOTICE[message.method] ?? [];
  return message.method === ASKS_PERSON ? KEPT_OF_QUESTION : [PROGRESS];
}

/** @returns the same where nothing was found in it, or nobody is to be shown it */
export function maskError(error: unknown, maskers: Maskers, told: Told): unknown {
  if (!(error instanceof AppError)) return error;
  const message = maskWords(error.message, maskers);
  const hint = error.hint === undefined ? undefined : maskWords(error.hint, maskers);
  const hits = [...message.hits, ...(hint?.hits ?? [])];
  if (hits.length === 0) return error;
  told(hits);
  const { kind, detail, retryAfterSeconds } = error;
  return new AppError(error.code, message.text, {
    kind,
    cause: error,
    ...(hint === undefined ? {} : { hint: hint.text }),
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** Runs something that a server answers, or fails to, and masks what comes of it. @throws AppError as `work`, masked */
export async function maskOutcome(
  maskers: Maskers,
  told: Told,
  work: () => Promise<RpcResponse>,
  schema: string | null,
): Promise<RpcResponse> {
  let response: RpcResponse;
  try {
    response = await work();
  } catch (error) {
    throw maskError(error, maskers, told);
  }
  return maskAnywhere(response, maskers, told, schema);
}

/** What is kept of the questions that an answer asks. */
function questionsIn(value: string): readonly Kept[] {
  const asked = find(value, 0, ['inputRequests']);
  const keys = asked === null ? [] : [...(membersOf(value, asked.start)?.keys() ?? [])];
  return keys.flatMap((key) => {
    const at = ['inputRequests', key];
    const isOfPerson = stringAt(value, find(value, 0, [...at, 'method'])) === ASKS_PERSON;
    return (isOfPerson ? KEPT_OF_QUESTION : [PROGRESS]).map(({ path, as }) => ({
      path: [...at, 'params', ...path],
      as,
    }));
  });
}

const MEASURE = { depthMax: limits.jsonDepthMax, valuesMax: limits.mcpMessageValuesMax };

/**
 * @param value an object of the protocol, as JSON
 * @param kept members by their paths that stay as they are: opaque to whoever reads them, and needed as they were
 * @throws AppError `mask_answer_too_large`, `mask_failed`
 */
function maskValue(value: string, maskers: Maskers, kept: readonly Kept[]): Masked {
  if (value.length > limits.maskingAnswerCharsMax || !isWithinMeasure(value, MEASURE)) throw tooLarge();
  try {
    const placed = maskers.placed === null ? null : maskPlaced(value, maskers.placed);
    const whole = maskers.whole?.maskJson(placed?.text ?? value) ?? null;
    const hits = [...(placed?.hits ?? []), ...(whole?.hits ?? [])];
    if (hits.length === 0) return { text: value, hits };
    const text = whole?.text ?? placed?.text ?? value;
    // Whatever was found, an answer is JSON.
    JSON.parse(text);
    return { text: withKept(value, text, kept), hits };
  } catch (error) {
    throw maskFailed(error);
  }
}

/** @throws AppError `mask_failed` */
function maskWords(words: string, { placed, whole }: Maskers): Masked {
  try {
    return (placed ?? whole)?.maskText(words) ?? { text: words, hits: [] };
  } catch (error) {
    throw maskFailed(error);
  }
}

function withKept(before: string, masked: string, kept: readonly Kept[]): string {
  const edits = kept.flatMap(({ path, as }): Edit[] => {
    const was = find(before, 0, path);
    if (was === null || !as.test(slice(before, was))) return [];
    const now = find(masked, 0, path);
    if (now === null) throw new Error(`the member ${path.join('/')} is gone`);
    return [{ ...now, text: slice(before, was) }];
  });
  return splice(masked, edits);
}

export const tooLarge = (): AppError =>
  new AppError('mask_answer_too_large', 'The answer is too large to be looked through for what rules mask.', {
    kind: 'denied',
    hint: `Ask for less: at most ${limits.maskingAnswerCharsMax / limits.MIB} Mi characters, nested ${limits.jsonDepthMax} deep, can be masked.`,
  });

export const maskFailed = (cause: unknown): AppError =>
  new AppError('mask_failed', 'What rules mask could not be masked, so the answer is kept back.', {
    kind: 'failed',
    hint: "The gateway's log has the details.",
    cause,
  });
