/**
 * The opening handshake over HTTP/1.1 (RFC 6455 section 4). Computes no hash: who relays gives the accept value that the key
 * leads to. No extension is ever offered to an upstream, so that frames can be read.
 */
import { err, ok, type Result } from '../../kernel/index.ts';
import { type Fields, type RequestHead, type ResponseHead, responseFraming } from '../http1/index.ts';
import { type Extension, parseExtensions, parseProtocols } from './extensions.ts';
import type { HandshakeReason } from './reasons.ts';

export interface WebSocketRequest {
  /** Sec-WebSocket-Key: base64 of 16 bytes. */
  readonly key: string;
  /** Subprotocols in the client's order of preference. */
  readonly protocols: readonly string[];
  /** What the client would like; the answer need not take any. */
  readonly extensions: readonly Extension[];
}

export interface WebSocketOffer {
  /** Base64 of the SHA-1 of `acceptInput(key)`. */
  readonly accept: string;
  readonly protocols: readonly string[];
}

/** 16 bytes in canonical base64: the last digit has four bits that are zero. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const VERSION = '13';

/** The text whose SHA-1 in base64 is Sec-WebSocket-Accept (section 4.2.2). */
export const acceptInput = (key: string): string => `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;

/** Whether a head asks to become a WebSocket; the rest of the handshake may still be wrong. */
export const asksForWebSocket = (fields: Fields): boolean => fields.list('upgrade').includes('websocket');

/** The handshake of a request whose fields ask for an upgrade. */
export function readWebSocketRequest(head: RequestHead): Result<WebSocketRequest, HandshakeReason> {
  const { fields } = head;
  if (head.method !== 'GET') return err('method_not_get');
  if (head.minor !== 1) return err('http_version_too_old');
  const wrong = upgradeReason(fields);
  if (wrong !== null) return err(wrong);
  if (fields.count('content-length') + fields.count('transfer-encoding') > 0) return err('body_declared');
  const key = only(fields, 'sec-websocket-key');
  if (key === null || !KEY.test(key)) return err('key_invalid');
  if (only(fields, 'sec-websocket-version') !== VERSION) return err('version_unsupported');
  const protocols = parseProtocolLines(fields);
  if (!protocols.ok) return protocols;
  const extensions = parseExtensionLines(fields);
  if (!extensions.ok) return extensions;
  return ok({ key, protocols: protocols.value, extensions: extensions.value });
}

/** @returns the subprotocol that the server chose, null when none. */
export function readWebSocketAnswer(
  head: ResponseHead,
  offer: WebSocketOffer,
): Result<{ readonly protocol: string | null }, HandshakeReason> {
  const { fields } = head;
  if (head.status !== 101) return err('status_not_101');
  if (head.minor !== 1) return err('http_version_too_old');
  const wrong = upgradeReason(fields);
  if (wrong !== null) return err(wrong);
  if (!responseFraming(head, 'GET').ok) return err('body_declared');
  if (only(fields, 'sec-websocket-accept') !== offer.accept) return err('accept_mismatch');
  if (fields.count('sec-websocket-extensions') > 0) return err('extension_not_offered');
  if (fields.count('sec-websocket-protocol') === 0) return ok({ protocol: null });
  const protocol = only(fields, 'sec-websocket-protocol');
  return protocol !== null && offer.protocols.includes(protocol)
    ? ok({ protocol })
    : err('protocol_not_offered');
}

/** What must hold of both heads. */
function upgradeReason(fields: Fields): HandshakeReason | null {
  const upgrades = fields.list('upgrade');
  if (upgrades.length !== 1 || upgrades[0] !== 'websocket') return 'upgrade_not_websocket';
  return fields.list('connection').includes('upgrade') ? null : 'connection_not_upgrade';
}

/** The value of a field that occurs exactly once. */
const only = (fields: Fields, key: string): string | null =>
  fields.count(key) === 1 ? (fields.get(key) ?? null) : null;

const joined = (fields: Fields, key: string): string =>
  fields.values.filter((_, index) => fields.keys[index] === key).join(',');

const parseProtocolLines = (fields: Fields): Result<readonly string[], HandshakeReason> =>
  fields.count('sec-websocket-protocol') === 0
    ? ok([])
    : parseProtocols(joined(fields, 'sec-websocket-protocol'));

const parseExtensionLines = (fields: Fields): Result<readonly Extension[], HandshakeReason> =>
  fields.count('sec-websocket-extensions') === 0
    ? ok([])
    : parseExtensions(joined(fields, 'sec-websocket-extensions'));
