/**
 * The canonical form of an event: the text that its hash is taken over. It is one JSON array without white space,
 * in UTF-8, with the elements in this order:
 *
 *     "sallyport/audit/1", workspace, sequence, at, type, actor.kind, actor.id, server or null, data, previous
 *
 * Strings, numbers and literals are written as ECMAScript's JSON.stringify writes them, and object keys inside
 * `data` are sorted by UTF-16 code units (both as in RFC 8785). The hash is SHA-256 of that text, in lower-case hex.
 * Each event contains the hash of the one before, so an event vouches for all earlier ones.
 *
 * Preparing an event costs about a microsecond, because every request waits for it; an author who writes the keys of
 * `data` in sorted order saves a third of that.
 */
import { hash } from 'node:crypto';
import { AppError, type Json, type JsonObject, limits, type WorkspaceId } from '../kernel/index.ts';
import type { Actor, AuditEvent, AuditEventType, RecordedEvent } from './events.ts';
import type { EventRow } from './ports.ts';

/** `previous` of a workspace's first event. */
export const NO_PREVIOUS = '0'.repeat(64);

const DOMAIN = 'sallyport/audit/1';

/**
 * An event as it was when it was handed in: later changes to the author's objects do not reach it. Numbers and
 * strings only, so that it is cheap to hand to another thread. The workspace is told once for many of them.
 */
export interface PreparedEvent {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly type: AuditEventType;
  readonly actorKind: Actor['kind'];
  readonly actorId: string;
  readonly server: string | null;
  /** The data in canonical form. */
  readonly data: string;
}

/** @throws AppError `audit_event_invalid` for what has no canonical form, or is over the limits */
export function prepareEvent(event: AuditEvent, at: number): PreparedEvent {
  const { workspace, type, actor, server = null } = event;
  if (!Number.isSafeInteger(at)) throw invalid('its time is not an integer');
  requireText(workspace);
  requireText(type);
  requireText(actor.kind);
  requireText(actor.id);
  if (server !== null) requireText(server);
  const data = isCanonical(event.data, 0) ? JSON.stringify(event.data) : canonicalJson(event.data, 0);
  const chars = data.length + workspace.length + actor.id.length + (server?.length ?? 0);
  if (chars > limits.auditEventCharsMax) throw invalid('it is too long');
  return { at, type, actorKind: actor.kind, actorId: actor.id, server, data };
}

/** Gives a prepared event its place in the chain. */
export function chainEvent(
  workspace: WorkspaceId,
  prepared: PreparedEvent,
  sequence: number,
  previous: string,
): EventRow {
  const { at, type, server, data } = prepared;
  const kind = quoted(prepared.actorKind);
  const id = quoted(prepared.actorId);
  const place = server === null ? 'null' : quoted(server);
  const digest = hash(
    'sha256',
    `["${DOMAIN}",${quoted(workspace)},${sequence},${at},${quoted(type)},${kind},${id},${place},${data},"${previous}"]`,
    'hex',
  );
  return { sequence, at, type, actor: `{"kind":${kind},"id":${id}}`, server, data, previous, hash: digest };
}

/** The canonical form of a recorded event. @throws AppError `audit_event_invalid` */
export function canonicalForm(event: RecordedEvent): string {
  const { workspace, sequence, at, type, actor, server = null, previous } = event;
  for (const part of [workspace, type, actor.kind, actor.id, server ?? '']) requireText(part);
  const parts = [workspace, type, actor.kind, actor.id].map((part) => JSON.stringify(part));
  const [inWorkspace = '', ofType = '', kind = '', id = ''] = parts;
  const data = canonicalJson(event.data, 0);
  return `["${DOMAIN}",${inWorkspace},${sequence},${at},${ofType},${kind},${id},${JSON.stringify(server)},${data},"${previous}"]`;
}

/** The hash that an event ought to have. @throws AppError `audit_event_invalid` */
export const hashOf = (event: RecordedEvent): string => hash('sha256', canonicalForm(event), 'hex');

/** For columns of text: a lone surrogate would not come back from the store as it went in. */
function requireText(text: string): void {
  if (!text.isWellFormed()) throw invalid('it has text that is not well-formed Unicode');
}

/** Whether JSON.stringify writes the canonical form of it, because its keys are in order and it holds nothing unusual. */
function isCanonical(value: Json, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth >= limits.auditDataDepthMax) return false;
  if (isArray(value)) return value.every((item) => isCanonical(item, depth + 1));
  // Of a class, it may have a `toJSON`.
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  let last = '';
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (key < last || item === undefined || !isCanonical(item, depth + 1)) return false;
    last = key;
  }
  return true;
}

function canonicalJson(value: Json, depth: number): string {
  if (typeof value === 'string') return quoted(value);
  if (value === null || typeof value === 'boolean') return `${value}`;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid('it has a number that JSON cannot write');
    return `${value}`; // as JSON.stringify does, -0 included
  }
  if (typeof value !== 'object') throw invalid(`it has a value of type ${typeof value}`);
  if (depth >= limits.auditDataDepthMax) throw invalid('it is nested too deeply');
  let out = '';
  let comma = '';
  if (isArray(value)) {
    for (const item of value) {
      out += comma + canonicalJson(item, depth + 1);
      comma = ',';
    }
    return `[${out}]`;
  }
  for (const key of sortedKeys(value)) {
    const item = value[key];
    if (item === undefined) throw invalid('it has a value of type undefined');
    out += comma + quotedKey(key) + canonicalJson(item, depth + 1);
    comma = ',';
  }
  return `{${out}}`;
}

function sortedKeys(value: JsonObject): readonly string[] {
  const keys = Object.keys(value);
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] ?? '') >= (keys[i] ?? '')) return keys.sort();
  }
  return keys;
}

/** Most strings need no escape; finding that out is cheaper than the call. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A string as the canonical form has it. */
export const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

/** With the colon. The product's events have a few dozen different keys. */
const KEYS = new Map<string, string>();

function quotedKey(key: string): string {
  const known = KEYS.get(key);
  if (known !== undefined) return known;
  const text = `${quoted(key)}:`;
  if (KEYS.size < limits.auditKeysKnownMax && key.length <= limits.auditKeyKnownCharsMax) KEYS.set(key, text);
  return text;
}

/** `Array.isArray` does not narrow readonly arrays. */
const isArray = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);

function invalid(reason: string): AppError {
  return new AppError('audit_event_invalid', `An audit event cannot be recorded: ${reason}.`, {
    kind: 'failed',
  });
}
