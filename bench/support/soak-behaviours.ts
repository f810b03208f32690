/** What clients of the soak do: most behave, the others are slow, dead, or wrong. */
import { type Behaviour, between, LIFE_MS, PAUSE_MS, type Situation } from './soak-behaviour.ts';
import { http2Behaviours } from './soak-http2.ts';
import { webSocketBehaviours } from './soak-websocket.ts';

const SIP_MS = 500;
const SIP_BYTES = 16 * 1_024;
const BODY_BYTES = 150;
const BODY_STEP_MS = 200;
/** The beginning of a ClientHello that says that it is longer. */
const HALF_HELLO = Buffer.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 1, 2, 3, 4).toString('latin1');

const head = (method: string, path: string, { cell, host }: Situation, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${cell.token}\r\n${more}\r\n`;

const get = (path: string, situation: Situation): string => head('GET', path, situation);

/** Sends one request and takes what comes. */
const asking =
  (path: string): Behaviour['run'] =>
  async (conversation, situation) => {
    conversation.send(get(path, situation));
    return conversation.answer();
  };

/** Sends one request and goes some time later, whatever came. */
const leaving =
  (path: string): Behaviour['run'] =>
  async (conversation, situation) => {
    conversation.send(get(path, situation));
    return conversation.leaveAfter(between(situation, LIFE_MS), situation.stage);
  };

const http1Behaviours: readonly Behaviour[] = [
  {
    name: 'keeps a connection and asks now and then',
    weight: 37,
    expected: ['answered'],
    async run(conversation, situation) {
      const { onAnswer, stage } = situation;
      const until = performance.now() + between(situation, 2 * LIFE_MS);
      for (;;) {
        conversation.send(get('/v1/quick', situation));
        const outcome = await conversation.answer();
        if (outcome !== 'answered') return outcome;
        onAnswer();
        if (performance.now() >= until || !(await stage.wait(between(situation, PAUSE_MS)))) return outcome;
      }
    },
  },
  { name: 'asks for what takes its time', weight: 3, expected: ['answered'], run: asking('/v1/slow') },
  { name: 'listens to an event stream', weight: 5, expected: ['answered'], run: asking('/v1/events') },
  {
    name: 'sends a body byte by byte',
    weight: 3,
    expected: ['answered'],
    async run(conversation, situation) {
      conversation.send(head('POST', '/v1/echo', situation, `Content-Length: ${BODY_BYTES}\r\n`));
      for (let byte = 0; byte < BODY_BYTES; byte += 1) {
        conversation.send('x');
        await situation.stage.wait(BODY_STEP_MS); // the rest at once when everything has to end
      }
      return conversation.answer();
    },
  },
  {
    name: 'reads slowly',
    weight: 6,
    expected: ['left', 'answered'],
    async run(conversation, situation) {
      const { socket } = conversation;
      conversation.send(get('/v1/large', situation));
      socket.pause();
      const until = performance.now() + between(situation, LIFE_MS);
      while (performance.now() < until && (await situation.stage.wait(SIP_MS))) {
        const piece: unknown = socket.read(SIP_BYTES);
        const { early } = conversation;
        if (early !== null) return early;
        if (piece === null && socket.destroyed) return 'cut';
      }
      return 'left';
    },
  },
  {
    name: 'stops reading',
    weight: 6,
    expected: ['left'],
    async run(conversation, situation) {
      conversation.send(get('/v1/large', situation));
      conversation.socket.pause();
      return conversation.leaveAfter(between(situation, 2 * LIFE_MS), situation.stage);
    },
  },
  {
    name: 'goes in the middle of an answer',
    weight: 4,
    expected: ['left'],
    run(conversation, situation) {
      conversation.send(get('/v1/large', situation));
      conversation.socket.pause(); // what has arrived and was not read makes the end a reset
      return conversation.leaveAfter(situation.random() * 100, situation.stage);
    },
  },
  { name: 'meets an upstream that hangs', weight: 4, expected: ['left'], run: leaving('/v1/hang') },
  { name: 'meets one that stops halfway', weight: 3, expected: ['left'], run: leaving('/v1/half') },
  { name: 'meets one that closes', weight: 3, expected: ['refused'], run: asking('/v1/cut') },
  { name: 'meets one that dies halfway', weight: 3, expected: ['cut'], run: asking('/v1/reset') },
  {
    name: 'sends half a head',
    weight: 3,
    expected: ['refused', 'cut'],
    async run(conversation, situation) {
      conversation.send(get('/v1/quick', situation).slice(0, -20));
      return conversation.answer();
    },
  },
  {
    name: 'sends half a hello',
    weight: 2,
    expected: ['cut'],
    over: 'tcp',
    async run(conversation) {
      conversation.send(HALF_HELLO);
      return conversation.answer();
    },
  },
  {
    name: 'sends no HTTP',
    weight: 1,
    expected: ['refused', 'cut'],
    async run(conversation) {
      conversation.send('\x01\x02\x03 nothing that anybody could read\r\n\r\n');
      return conversation.answer();
    },
  },
  {
    name: 'says nothing',
    weight: 2,
    expected: ['left', 'cut'],
    run: (conversation, situation) => conversation.leaveAfter(between(situation, LIFE_MS), situation.stage),
  },
];

export const behaviours: readonly Behaviour[] = [
  ...http1Behaviours,
  ...http2Behaviours,
  ...webSocketBehaviours,
];

/** By weight. @param random in [0, 1) */
export function pick(random: number): Behaviour {
  let left = random * behaviours.reduce((sum, { weight }) => sum + weight, 0);
  for (const behaviour of behaviours) {
    left -= behaviour.weight;
    if (left < 0) return behaviour;
  }
  throw new Error('the weights do not add up');
}
