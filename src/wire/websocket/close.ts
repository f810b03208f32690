/** The payload of a Close frame (RFC 6455 section 5.5.1 and 7.4). */
import { isUtf8 } from 'node:buffer';
import { err, ok, type Result } from '../../kernel/index.ts';
import { CONTROL_BYTES_MAX } from './frame.ts';
import type { FrameReason } from './reasons.ts';

export interface CloseStatus {
  /** 1000 to 4999; null when the frame gives none. */
  readonly code: number | null;
  readonly reason: string;
}

/**
 * What may stand in a frame: the registered ones (IANA, 1012 to 1014 included), those of libraries and of applications.
 * 1004 is reserved; 1005, 1006 and 1015 only exist where no frame arrived.
 */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

export function parseClose(payload: Buffer): Result<CloseStatus, FrameReason> {
  if (payload.length === 0) return ok({ code: null, reason: '' });
  if (payload.length === 1) return err('close_payload_invalid');
  const code = payload.readUInt16BE(0);
  if (!isCloseCode(code)) return err('close_code_invalid');
  const reason = payload.subarray(2);
  return isUtf8(reason) ? ok({ code, reason: reason.toString('utf8') }) : err('close_reason_not_utf8');
}

/** The payload; a reason that is too long loses whole characters at its end. @param code one that `isCloseCode` */
export function encodeClose(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(CONTROL_BYTES_MAX);
  payload.writeUInt16BE(code, 0);
  return payload.subarray(0, 2 + payload.write(reason, 2, 'utf8'));
}
