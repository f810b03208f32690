/** What a Close says where something may not be relayed (RFC 6455 section 7.4.1). */
import { Refusal, toWireRefusal } from '../refusals.ts';

const GOING_AWAY = 1001;
const PROTOCOL_ERROR = 1002;
const NOT_UTF8 = 1007;
const POLICY = 1008;
const TOO_BIG = 1009;
const OURS = 1011;

const OF_REASON: ReadonlyMap<string, number> = new Map([
  ['text_not_utf8', NOT_UTF8],
  ['close_reason_not_utf8', NOT_UTF8],
  ['frame_too_large', TOO_BIG],
  ['control_frames_too_many', POLICY],
  ['empty_fragments_too_many', POLICY],
  ['small_frames_too_many', POLICY],
]);

const OF_CODE: ReadonlyMap<string, number> = new Map([
  ['egress_websocket_malformed', PROTOCOL_ERROR],
  ['egress_upstream_websocket', PROTOCOL_ERROR],
  ['egress_body_too_large', TOO_BIG],
  ['egress_timeout', GOING_AWAY],
]);

/** @param reason why it may not go on: a `Refusal`, an `AppError`, or something of ours that went wrong */
export function closeCodeFor(reason: unknown): number {
  const { code, status } = toWireRefusal(reason);
  const said = reason instanceof Refusal ? (reason.facts.reason ?? '') : '';
  return OF_REASON.get(said) ?? OF_CODE.get(code) ?? (status < 500 ? POLICY : OURS);
}
