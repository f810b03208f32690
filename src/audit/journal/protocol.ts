/**
 * What goes between the thread that writes a journal and the one that brings it into the chain: numbers in shared memory
 * that both look at when they please, and messages for the rest. Nothing is sent for a record: the far end looks by
 * itself while there is something to do, and is woken when there was nothing.
 */
import {
  AppError,
  type AppErrorKind,
  isAppError,
  type JsonObject,
  type Log,
  type LogFields,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { ChainEnd } from '../chain-writer.ts';
import type { Checkpoint, EventRow } from '../ports.ts';
import type { Ingested } from './ingester.ts';

/** A pair of ends that carry structured clones, in order; `worker_threads` has them. */
export interface Channel {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** The other end is gone, or broken; null when that was to be. At most once. */
  onEnd(listener: (error: Error | null) => void): void;
}

/** Places in the shared memory. */
export const AT = {
  /** Records that are in the file, as the near end says. */
  written: 0,
  /** Records, events and bytes that are in the chain, as the far end says. */
  records: 1,
  events: 2,
  bytes: 3,
  /** 1 while the far end waits to be woken. */
  asleep: 4,
} as const;

export type SharedNumbers = BigInt64Array<SharedArrayBuffer>;

export const sharedNumbers = (): SharedNumbers =>
  new BigInt64Array(new SharedArrayBuffer(Object.keys(AT).length * BigInt64Array.BYTES_PER_ELEMENT));

export const readNumber = (numbers: SharedNumbers, at: number): number => Number(Atomics.load(numbers, at));

export const writeNumber = (numbers: SharedNumbers, at: number, value: number): void =>
  void Atomics.store(numbers, at, BigInt(value));

/** How far the chain has come, as the far end said last. */
export const ingestedIn = (numbers: SharedNumbers): Ingested => ({
  records: readNumber(numbers, AT.records),
  events: readNumber(numbers, AT.events),
  bytes: readNumber(numbers, AT.bytes),
});

/** To the far end. */
export type Question =
  | { readonly id: null; readonly ask: 'wake'; readonly isUrgent: boolean }
  | { readonly id: null; readonly ask: 'tell' }
  | { readonly id: number; readonly ask: 'settle'; readonly onDisk: boolean }
  | { readonly id: number; readonly ask: 'seen'; readonly workspace: WorkspaceId }
  | { readonly id: number; readonly ask: 'close' };

/** To the near end. */
export type Answer =
  | { readonly id: number; readonly value: ChainEnd | readonly Checkpoint[] | null }
  | { readonly id: number; readonly error: PlainError }
  | {
      readonly id: null;
      readonly tell: 'log';
      readonly level: keyof Log;
      readonly event: string;
      readonly fields?: LogFields;
    }
  | {
      readonly id: null;
      readonly tell: 'placed';
      readonly record: number;
      readonly rows: readonly EventRow[];
    }
  | {
      readonly id: null;
      readonly tell: 'chained';
      readonly workspace: WorkspaceId;
      readonly rows: readonly EventRow[];
      readonly checkpoint: Checkpoint | null;
    }
  | { readonly id: null; readonly tell: 'failed'; readonly error: PlainError }
  | { readonly id: null; readonly tell: 'works' };

/** Classes do not survive the way. */
interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly kind: AppErrorKind;
  readonly hint: string | undefined;
  readonly detail: JsonObject | undefined;
}

export function plain(error: unknown): PlainError {
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

export const revived = ({ code, message, kind, hint, detail }: PlainError): AppError =>
  new AppError(code, message, {
    kind,
    ...(hint === undefined ? {} : { hint }),
    ...(detail === undefined ? {} : { detail }),
  });
