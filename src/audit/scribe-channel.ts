/**
 * A scribe in another thread: what goes over to it and what comes back. Both ends are this module, so that what one
 * writes the other reads. A channel that ends refuses what waits and whatever comes later: there is no second writer
 * to fall back to, and work that is not recorded is not done.
 */
import {
  AppError,
  type AppErrorKind,
  isAppError,
  type JsonObject,
  type Log,
  type LogFields,
  type WorkspaceId,
} from '../kernel/index.ts';
import type { PreparedEvent } from './canonical.ts';
import type { ChainEnd } from './chain-writer.ts';
import type { Checkpoint } from './ports.ts';
import type { Scribe, Written } from './scribe.ts';

/** A pair of ends that carry structured clones, in order; `worker_threads` has them. */
export interface Channel {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** The other end is gone, or broken; null when that was to be. At most once. */
  onEnd(listener: (error: Error | null) => void): void;
}

/** An event takes this many elements of a message's list: names of properties would be most of what is copied. */
const FIELDS = 6;

type Question =
  | {
      readonly id: number;
      readonly ask: 'write';
      readonly workspace: WorkspaceId;
      readonly wantsHashes: boolean;
      readonly fields: readonly (string | number | null)[];
    }
  | { readonly id: null; readonly ask: 'goOnFrom'; readonly workspace: WorkspaceId; readonly end: ChainEnd }
  | { readonly id: number; readonly ask: 'seen'; readonly workspace: WorkspaceId }
  | { readonly id: number; readonly ask: 'close' };

type Answer =
  | { readonly id: number; readonly value: Written | ChainEnd | null | readonly Checkpoint[] }
  | { readonly id: number; readonly error: PlainError }
  | { readonly id: null; readonly level: keyof Log; readonly event: string; readonly fields?: LogFields };

/** Classes do not survive the way. */
interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly kind: AppErrorKind;
  readonly hint: string | undefined;
  readonly detail: JsonObject | undefined;
}

export function remoteScribe(channel: Channel, log: Log): Scribe {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let ended: AppError | null = null;
  let lastId = 0;

  channel.onMessage((message) => {
    const answer = message as Answer; // written by `serveScribe`, below
    if (answer.id === null) {
      log[answer.level](answer.event, answer.fields);
      return;
    }
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(revived(answer.error));
    else asked?.resolve(answer.value);
  });
  channel.onEnd((cause) => {
    ended = new AppError('audit_writer_gone', 'The thread that writes the audit log has ended.', {
      kind: 'failed',
      hint: 'Restart Sallyport.',
      cause,
    });
    if (cause !== null) log.error('audit_writer_gone', { error: String(cause) });
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  });

  /** What comes back is what `serveScribe` got from a scribe for this question. */
  function ask<T>(question: (id: number) => Question): Promise<T> {
    if (ended !== null) return Promise.reject(ended);
    lastId += 1;
    const asked = Promise.withResolvers<T>();
    waiting.set(lastId, asked as PromiseWithResolvers<unknown>);
    channel.post(question(lastId));
    return asked.promise;
  }

  return {
    write: (workspace, batch, wantsHashes) =>
      ask((id) => ({ id, ask: 'write', workspace, wantsHashes, fields: packed(batch) })),
    goOnFrom(workspace, end) {
      if (ended === null) channel.post({ id: null, ask: 'goOnFrom', workspace, end } satisfies Question);
    },
    seen: (workspace) => ask((id) => ({ id, ask: 'seen', workspace })),
    close: () => ask((id) => ({ id, ask: 'close' })),
  };
}

/** The log of the scribe's thread: its lines go to the other end, which has a place for them. */
export function channelLog(channel: Channel): Log {
  const to = (level: keyof Log) => (event: string, fields?: LogFields) =>
    channel.post({ id: null, level, event, ...(fields === undefined ? {} : { fields }) } satisfies Answer);
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}

/** Answers the questions of a `remoteScribe`. Resolves when it was closed. */
export function serveScribe(channel: Channel, scribe: Scribe): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  channel.onMessage((message) => {
    const question = message as Question; // written by `remoteScribe`, above
    if (question.ask === 'goOnFrom') {
      scribe.goOnFrom(question.workspace, question.end);
      return;
    }
    void answer(channel, scribe, question).then(() => {
      if (question.ask === 'close') resolve();
    });
  });
  return closed;
}

type Asked = Exclude<Question, { readonly ask: 'goOnFrom' }>;

async function answer(channel: Channel, scribe: Scribe, question: Asked): Promise<void> {
  const { id } = question;
  try {
    const value = await valueFor(scribe, question);
    channel.post({ id, value } satisfies Answer);
  } catch (error) {
    channel.post({ id, error: plain(error) } satisfies Answer);
  }
}

function valueFor(
  scribe: Scribe,
  question: Asked,
): Promise<Written | ChainEnd | null | readonly Checkpoint[]> {
  if (question.ask === 'close') return scribe.close();
  if (question.ask === 'seen') return scribe.seen(question.workspace);
  return scribe.write(question.workspace, unpacked(question.fields), question.wantsHashes);
}

function packed(batch: readonly PreparedEvent[]): readonly (string | number | null)[] {
  const fields: (string | number | null)[] = [];
  for (const { at, type, actorKind, actorId, server, data } of batch) {
    fields.push(at, type, actorKind, actorId, server, data);
  }
  return fields;
}

function unpacked(fields: readonly (string | number | null)[]): readonly PreparedEvent[] {
  const batch: PreparedEvent[] = [];
  for (let i = 0; i < fields.length; i += FIELDS) {
    const [at, type, actorKind, actorId, server, data] = fields.slice(i, i + FIELDS);
    // In the order of `packed`, above.
    batch.push({ at, type, actorKind, actorId, server, data } as PreparedEvent);
  }
  return batch;
}

function plain(error: unknown): PlainError {
  if (isAppError(error)) {
    const { code, message, kind, hint, detail } = error;
    return { code, message, kind, hint, detail };
  }
  return {
    code: 'internal_error',
    message: String(error),
    kind: 'failed',
    hint: undefined,
    detail: undefined,
  };
}

const revived = ({ code, message, kind, hint, detail }: PlainError): AppError =>
  new AppError(code, message, {
    kind,
    ...(hint === undefined ? {} : { hint }),
    ...(detail === undefined ? {} : { detail }),
  });
