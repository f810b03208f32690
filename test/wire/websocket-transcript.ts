/** Reads frames with the project's reader and tells everything it saw, so that two runs can be compared. */
import { type FrameHead, FrameReader } from '../../src/wire/websocket/index.ts';

export interface FrameTranscript {
  /** `opcode fin message payload-in-hex`, one for each whole frame. */
  readonly frames: readonly string[];
  readonly error: string | null;
  readonly isClosed: boolean;
  readonly isBetweenMessages: boolean;
}

export const PAYLOAD_BYTES_MAX = 200_000;

const frameText = (
  { opcode, fin, message }: Pick<FrameHead, 'opcode' | 'fin' | 'message'>,
  payload: Buffer,
): string => `${opcode} ${fin ? 'fin' : 'more'} ${message ?? 'control'} ${payload.toString('hex')}`;

export function transcribeFrames(
  from: 'client' | 'server',
  pieces: readonly Buffer[],
  payloadBytesMax = PAYLOAD_BYTES_MAX,
): FrameTranscript {
  const reader = new FrameReader({ from, payloadBytesMax });
  const frames: string[] = [];
  let head: FrameHead | null = null;
  let payload: Buffer[] = [];
  const sink = {
    onFrame(next: FrameHead) {
      if (head !== null) throw new Error('a frame within a frame');
      head = next;
    },
    onPayload(data: Buffer, isLast: boolean) {
      if (head === null) throw new Error('a payload of no frame');
      payload.push(Buffer.from(data));
      if (!isLast) return;
      const all = Buffer.concat(payload);
      if (all.length !== head.length) throw new Error('a frame of another length than its head says');
      frames.push(frameText(head, all));
      head = null;
      payload = [];
    },
  };
  for (const piece of pieces) {
    const end = reader.read(piece, 0, sink);
    if (reader.error !== null) break;
    if (end !== piece.length) throw new Error('bytes were left without an error');
  }
  return {
    frames,
    error: reader.error,
    isClosed: reader.isClosed,
    isBetweenMessages: reader.error === null && reader.isBetweenMessages,
  };
}
