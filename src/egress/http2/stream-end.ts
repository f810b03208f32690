/**
 * The end of what is sent on an HTTP/2 stream. Node also ends it where a stream is closed, before the reset that is asked
 * for: an upstream would take half of a request for all of it, and act on it; a client half of an answer. Here a stream
 * ends when that is said, and is reset otherwise, whoever closes it.
 */
import type { Http2Stream } from 'node:http2';

/**
 * Takes care of a stream on which nothing was ended yet.
 *
 * @returns says that what was written, or is with `end`, is all of it
 */
export function holdEnd(stream: Http2Stream): () => void {
  const final = stream._final.bind(stream); // sends the end, as streams of Node do at that point
  let isComplete = false;
  // Not written where it is assigned: it would outlive its stream (docs/adr/0010-call-speed.md).
  const end: typeof final = (done) => (isComplete ? final(done) : done());
  stream._final = end;
  return () => {
    isComplete = true;
  };
}
