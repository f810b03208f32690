/**
 * The opening handshake on both sides of the relay (RFC 6455 section 4): one of the client with us, and one of ours with
 * the upstream, under a key of our own. Subprotocols pass, and are checked; extensions never do, because a
 * compressed frame could not be searched.
 */
import type { Random } from '../../kernel/index.ts';
import {
  acceptInput,
  type Fields,
  readWebSocketAnswer,
  type ResponseHead,
  type WebSocketRequest,
} from '../../wire/index.ts';
import { forwardedFields } from '../forwarded-fields.ts';
import type { AnswerHead, OutgoingRequest } from '../message.ts';
import { Refusal } from '../refusals.ts';

/** Between two neighbours only, like the fields that `Connection` names. */
const HANDSHAKE_FIELDS: ReadonlySet<string> = new Set([
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-accept',
]);
const KEY_BYTES = 16;
const VERSION = '13';

/** Base64 of the SHA-1 that the protocol wants; it protects nothing. */
async function acceptOf(key: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-1', Buffer.from(acceptInput(key), 'latin1'));
  return Buffer.from(digest).toString('base64');
}

export class Opening {
  /** Sec-WebSocket-Key of ours. */
  readonly #key: string;
  /** What proves that the upstream has read it. */
  readonly #upstreamAccept: string;
  /** What proves to the client that we have read its own. */
  readonly #clientAccept: string;
  /** Subprotocols that the upstream may choose from: with a credential in it, one may be none to look at. */
  #offered: readonly string[] = [];

  private constructor(key: string, upstreamAccept: string, clientAccept: string) {
    this.#key = key;
    this.#upstreamAccept = upstreamAccept;
    this.#clientAccept = clientAccept;
  }

  static async prepare(request: WebSocketRequest, random: Random): Promise<Opening> {
    const key = random.bytes(KEY_BYTES).toString('base64');
    return new Opening(key, await acceptOf(key), await acceptOf(request.key));
  }

  /** The request with our own side of the handshake in it. */
  requestOf(message: OutgoingRequest): OutgoingRequest {
    const fields = withoutHandshake(message.fields);
    this.#offered = fields.values
      .filter((_, index) => fields.keys[index] === 'sec-websocket-protocol')
      .flatMap((value) => value.split(',').map((protocol) => protocol.trim()));
    fields.add('Sec-WebSocket-Version', VERSION);
    fields.add('Sec-WebSocket-Key', this.#key);
    return { ...message, fields, acceptsTrailers: false, upgrade: 'websocket' };
  }

  /** Whether the upstream has really agreed to a WebSocket, and to nothing that it was not offered. */
  judge(head: ResponseHead): Refusal | null {
    const agreed = readWebSocketAnswer(head, { accept: this.#upstreamAccept, protocols: this.#offered });
    return agreed.ok ? null : Refusal.of('egress_upstream_websocket', { reason: agreed.error });
  }

  /** The 101 for the client. @param shown the upstream's own, scrubbed */
  agreementOf(shown: AnswerHead): AnswerHead {
    const fields = withoutHandshake(shown.fields);
    fields.add('Sec-WebSocket-Accept', this.#clientAccept);
    return { ...shown, fields };
  }
}

const withoutHandshake = (fields: Fields): Fields =>
  forwardedFields(fields, (key) => !HANDSHAKE_FIELDS.has(key));
