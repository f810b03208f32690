/**
 * The canonical form of an event: the text that its hash is taken over. It is one JSON array without white space,
 * in UTF-8, with the elements in this order:
 *
 *     "sallyport/audit/1", workspace, sequence, at, type, actor.kind, actor.id, server or null, data, previous
 *
 * Strings, numbers and literals are written as ECMAScript's JSON.stringify writes them, and object keys inside
 * `data` are sorted by UTF-16 code units (both as in RFC 8785). The hash is SHA-256 of that text, in lower-case hex.
 * Each event contains the hash of the one before, so an event vouches for all earlier ones.
 */
import { hash } from 'node:crypto';
import { AppError, type Json, type JsonObject, limits } from '../kernel/index.ts';
import type { AuditEvent, RecordedEvent } from './events.ts';

/** `previous` of a workspace's first event. */
export const NO_PREVIOUS = '0'.repeat(64);

const DOMAIN = 'sallyport/audit/1';

/** An event as it was at the moment of `append`: later changes to the author's objects do not reach it. */
export interface PreparedEvent {
  readonly event: AuditEvent;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** The canonical form up to the sequence, between `at` and `previous`, in that order. */
  readonly opening: string;
  readonly middle: string;
}

/** @throws AppError `audit_event_invalid` for what has no canonical form, or is over the limits */
export function prepareEvent(event: AuditEvent, at: number): PreparedEvent {
  const { workspace, type, actor, server } = event;
  if (!Number.isSafeInteger(at)) throw invalid('its time is not an integer');
  const data = canonicalJson(event.data, 0);
  const prepared = {
    event: {
      workspace,
      type,
      actor: { kind: actor.kind, id: actor.id },
      ...(server === undefined ? {} : { server }),
      data: JSON.parse(data) as JsonObject, // canonicalJson wrote it from an object
    },
    at,
    ...partsOf(event, data),
  };
  if (prepared.opening.length + prepared.middle.length > limits.auditEventCharsMax)
    throw invalid('it is too long');
  return prepared;
}

/** Gives a prepared event its place in the chain. */
export function chainEvent(prepared: PreparedEvent, sequence: number, previous: string): RecordedEvent {
  const { event, at, opening, middle } = prepared;
  const { workspace, type, actor, server, data } = event;
  const digest = hash('sha256', `${opening}${sequence},${at}${middle}${previous}"]`, 'hex');
  return server === undefined
    ? { workspace, type, actor, data, sequence, at, previous, hash: digest }
    : { workspace, type, actor, server, data, sequence, at, previous, hash: digest };
}

/** The canonical form of a recorded event. @throws AppError `audit_event_invalid` */
export function canonicalForm(event: RecordedEvent): string {
  const { opening, middle } = partsOf(event, canonicalJson(event.data, 0));
  return `${opening}${event.sequence},${event.at}${middle}${event.previous}"]`;
}

/** The hash that an event ought to have. @throws AppError `audit_event_invalid` */
export const hashOf = (event: RecordedEvent): string => hash('sha256', canonicalForm(event), 'hex');

function partsOf(event: AuditEvent, data: string): { opening: string; middle: string } {
  const { workspace, type, actor, server } = event;
  return {
    opening: `["${DOMAIN}",${text(workspace)},`,
    middle: `,${text(type)},${text(actor.kind)},${text(actor.id)},${server === undefined ? 'null' : text(server)},${data},"`,
  };
}

/** For columns of text: a lone surrogate would not come back from the store as it went in. */
function text(value: string): string {
  if (!value.isWellFormed()) throw invalid('it has text that is not well-formed Unicode');
  return JSON.stringify(value);
}

function canonicalJson(value: Json, depth: number): string {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid('it has a number that JSON cannot write');
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw invalid(`it has a value of type ${typeof value}`);
  if (depth >= limits.auditDataDepthMax) throw invalid('it is nested too deeply');
  if (isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;

  let out = '';
  for (const key of Object.keys(value).sort()) {
    const item = value[key];
    if (item === undefined) throw invalid('it has a value of type undefined');
    out += `${out === '' ? '{' : ','}${JSON.stringify(key)}:${canonicalJson(item, depth + 1)}`;
  }
  return out === '' ? '{}' : `${out}}`;
}

/** `Array.isArray` does not narrow readonly arrays. */
const isArray = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);

function invalid(reason: string): AppError {
  return new AppError('audit_event_invalid', `An audit event cannot be recorded: ${reason}.`, {
    kind: 'failed',
  });
}
