/** What every codec does with a head that is no request: it goes on record, and the client is told in the usual form. */
import { encodeResponseHead, Fields, HEAD_ENCODING } from '../wire/index.ts';
import type { Refusal, WireRefusal } from './refusals.ts';
import type { Arrival } from './request.ts';
import type { Trail } from './trail.ts';

/** Puts it on record: there is no exchange that could. */
export function recordHeadRefusal(trail: Trail, refusal: Refusal, arrival: Arrival): void {
  const reason = refusal.facts.reason ?? null;
  void trail.refused('connection', 'egress.refused', reason ?? '', {
    code: refusal.code,
    reason,
    scheme: arrival.scheme,
    host: arrival.sni ?? [...(arrival.names ?? [])][0] ?? arrival.address,
    port: arrival.port,
  });
}

/** Fields of every refusal, in small letters. @param body as `refusalBody` gives it */
export function addRefusalFields({ retryAfterSeconds }: WireRefusal, body: Buffer, fields: Fields): void {
  fields.add('content-type', 'application/json');
  fields.add('content-length', String(body.length));
  fields.add('cache-control', 'no-store');
  if (retryAfterSeconds !== undefined) fields.add('retry-after', String(retryAfterSeconds));
}

/** The body of every refusal, JSON. */
export const refusalBody = ({ code, message, hint }: WireRefusal): Buffer =>
  Buffer.from(JSON.stringify({ error: { code, message, hint } }));

/** A whole HTTP/1.1 answer after which the connection ends. @param fields besides the usual ones */
export function refusalAnswer(refusal: WireRefusal, fields: Fields = new Fields()): Buffer {
  const body = refusalBody(refusal);
  addRefusalFields(refusal, body, fields);
  fields.add('Connection', 'close');
  const head = encodeResponseHead(refusal.status, 'Refused', fields);
  return Buffer.concat([Buffer.from(head, HEAD_ENCODING), body]);
}
