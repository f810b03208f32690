/** What a Close says where something may not be relayed (RFC 6455 section 7.4.1). */
import { isAppError } from '../../kernel/index.ts';
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
]);

export function closeCodeFor(reason: unknown): number {
  if (!(reason instanceof Refusal)) {
    return isAppError(reason) && toWireRefusal(reason).status < 500 ? POLICY : OURS;
  }
  switch (reason.code) {
    case 'egress_websocket_malformed':
    case 'egress_upstream_websocket':
      return OF_REASON.get(reason.facts.reason ?? '') ?? PROTOCOL_ERROR;
    case 'egress_body_too_large':
      return TOO_BIG;
    case 'egress_timeout':
      return GOING_AWAY;
    default:
      return toWireRefusal(reason).status < 500 ? POLICY : OURS;
  }
}
