/** An upstream that answers over HTTP/2 frame by frame, as a test tells it. */
import {
  FLAG,
  FRAME,
  type Frame,
  FramePeer,
  headerBlock,
  frame,
  type HeaderLine,
  PREFACE,
  settingsOf,
} from './http2-frames.ts';
import { API, rawUpstream, testAuthority, type Upstream } from './world.ts';

export interface FrameUpstream extends Upstream {
  /** Connections, in the order in which they came. */
  readonly peers: FramePeer[];
}

/** @param onPeer given each connection after the client's preface */
export async function frameUpstream(
  onPeer: (peer: FramePeer, index: number) => unknown,
): Promise<FrameUpstream> {
  const peers: FramePeer[] = [];
  const identity = { ...testAuthority.issue(API), ALPNProtocols: ['h2'] };
  const upstream = await rawUpstream((socket) => {
    let first = Buffer.alloc(0);
    const onData = (bytes: Buffer): void => {
      first = Buffer.concat([first, bytes]);
      if (first.length < PREFACE.length) return;
      socket.off('data', onData);
      socket.pause();
      socket.unshift(first.subarray(PREFACE.length));
      const peer = new FramePeer(socket);
      peers.push(peer);
      void onPeer(peer, peers.length - 1);
      socket.resume();
    };
    socket.on('data', onData);
  }, identity);
  return { ...upstream, peers };
}

/** Does what every server does: its settings, and the acknowledgement of the client's. */
export const begin = (peer: FramePeer, settings = settingsOf()): void =>
  peer.send(settings, frame(FRAME.settings, FLAG.ack, 0));

/** Waits for the beginning of a request, in the order of their numbers. */
export const requestOn = (peer: FramePeer, stream: number): Promise<Frame | undefined> =>
  peer.first(({ type, stream: on }) => type === FRAME.headers && on === stream);

export const answerHead = (
  stream: number,
  more: readonly HeaderLine[] = [],
  flags: number = FLAG.endHeaders,
): Buffer => frame(FRAME.headers, flags, stream, headerBlock([[':status', '200'], ...more]));
export const answerData = (stream: number, text: string, flags: number = FLAG.endStream): Buffer =>
  frame(FRAME.data, flags, stream, Buffer.from(text, 'latin1'));

/** A small answer that is all there. */
export const answer = (stream: number, text: string): readonly Buffer[] => [
  answerHead(stream),
  answerData(stream, text),
];

/** GOAWAY. @param last number of the last stream that is dealt with */
export function goaway(last: number, code = 0): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(last);
  payload.writeUInt32BE(code, 4);
  return frame(FRAME.goaway, 0, 0, payload);
}
