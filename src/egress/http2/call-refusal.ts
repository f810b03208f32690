/**
 * Refusals in the form that gRPC programs read ("Trailers-Only" in its protocol): of an answer that is none of gRPC they
 * show a number, and neither why nor what to do.
 */
import { Fields } from '../../wire/index.ts';
import type { WireRefusal } from '../refusals.ts';

const CALL = /^application\/grpc(?:\+[\w.-]+)?[ \t]*(?:;|$)/i;

/** gRPC's own status for one of HTTP, as its documentation maps them; `UNKNOWN` for all others. */
const STATUS: Readonly<Record<number, number>> = {
  400: 13, // INTERNAL
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  413: 8, // RESOURCE_EXHAUSTED
  429: 14, // UNAVAILABLE
  502: 14,
  503: 14,
  504: 14,
};
const UNKNOWN = 2;

/** Whether a request is a call of gRPC. */
export const isCall = (fields: Fields): boolean => CALL.test(fields.get('content-type') ?? '');

/** All of the answer: fields of a 200 without a body. */
export function callRefusal({ status, code, message, hint }: WireRefusal): Fields {
  const fields = new Fields();
  fields.add('content-type', 'application/grpc');
  fields.add('grpc-status', String(STATUS[status] ?? UNKNOWN));
  fields.add('grpc-message', encoded(`${code}: ${message} ${hint}`));
  return fields;
}

/** Bytes of UTF-8 that are not printable ASCII, and `%`, as `%` and two digits. */
const encoded = (text: string): string =>
  Array.from(Buffer.from(text), (byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x25
      ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
      : String.fromCharCode(byte),
  ).join('');
