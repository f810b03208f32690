/** Clients of the soak that speak HTTP/2: the same things on many streams, and what only streams can do. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { type Behaviour, between, LIFE_MS, PAUSE_MS, type Situation } from './soak-behaviour.ts';
import { type Conversation, type Outcome, STUCK_MS } from './soak-conversation.ts';

const AT_ONCE = 4;
const OK = 200;
const RESET_EVERY_MS = 2_000;
const noop = (): void => undefined;

function sessionOn({ socket }: Conversation, { host }: Situation): ClientHttp2Session {
  const session = connect(`https://${host}`, { createConnection: () => socket });
  session.on('error', noop); // the connection's end says it as well
  return session;
}

function get(session: ClientHttp2Session, path: string, { cell }: Situation): ClientHttp2Stream {
  const stream = session.request({ ':path': path, authorization: `Bearer ${cell.token}` });
  stream.on('error', noop);
  return stream;
}

/** One answer, read to its end. */
async function answerOn(session: ClientHttp2Session, path: string, situation: Situation): Promise<Outcome> {
  if (session.destroyed || session.closed) return 'cut';
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const stream = get(session, path, situation);
  let status = 0;
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0;
  });
  stream.on('end', () => resolve(status === OK ? 'answered' : 'refused'));
  stream.on('close', () => resolve('cut'));
  const timer = setTimeout(() => resolve('stuck'), STUCK_MS);
  stream.resume();
  const outcome = await promise;
  clearTimeout(timer);
  return outcome;
}

/** Asks for several things at a time, now and then. @returns what was not answered, or the end */
async function askOn(session: ClientHttp2Session, ms: number, situation: Situation): Promise<Outcome> {
  const { onAnswer, stage } = situation;
  const until = performance.now() + ms;
  for (;;) {
    const outcomes = await Promise.all(
      Array.from({ length: AT_ONCE }, () => answerOn(session, '/v1/quick', situation)),
    );
    const odd = outcomes.find((outcome) => outcome !== 'answered');
    if (odd !== undefined) return odd;
    onAnswer();
    if (performance.now() >= until || !(await stage.wait(between(situation, PAUSE_MS)))) return 'answered';
  }
}

export const http2Behaviours: readonly Behaviour[] = [
  {
    name: 'asks over HTTP/2, now and then',
    weight: 5,
    expected: ['answered'],
    over: 'h2',
    run: (conversation, situation) =>
      askOn(sessionOn(conversation, situation), between(situation, 2 * LIFE_MS), situation),
  },
  {
    name: 'stops reading one stream, asks on others',
    weight: 2,
    expected: ['answered'],
    over: 'h2',
    run(conversation, situation) {
      const session = sessionOn(conversation, situation);
      get(session, '/v1/large', situation).pause();
      get(session, '/v1/hang', situation).pause();
      return askOn(session, between(situation, LIFE_MS), situation);
    },
  },
  {
    name: 'resets its streams',
    weight: 1,
    expected: ['left'],
    over: 'h2',
    async run(conversation, situation) {
      const { random, stage } = situation;
      const session = sessionOn(conversation, situation);
      const until = performance.now() + between(situation, LIFE_MS);
      do {
        if (session.destroyed) return 'cut';
        for (const path of ['/v1/large', '/v1/hang', '/v1/slow']) {
          const stream = get(session, path, situation);
          setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), random() * RESET_EVERY_MS);
        }
      } while (performance.now() < until && (await stage.wait(RESET_EVERY_MS)));
      return 'left';
    },
  },
  {
    name: 'goes with streams open',
    weight: 1,
    expected: ['left'],
    over: 'h2',
    run(conversation, situation) {
      const session = sessionOn(conversation, situation);
      for (const path of ['/v1/large', '/v1/half', '/v1/events']) get(session, path, situation).pause();
      return conversation.leaveAfter(between(situation, LIFE_MS), situation.stage);
    },
  },
];
