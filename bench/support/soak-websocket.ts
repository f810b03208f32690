/** Clients of the soak that speak WebSocket, and what they meet at the upstream. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { type Behaviour, between, LIFE_MS, PAUSE_MS, type Situation } from './soak-behaviour.ts';
import { type Conversation, type Outcome, STUCK_MS } from './soak-conversation.ts';

const PIECE = Buffer.alloc(64 * 1_024, 'x');
const noop = (): void => undefined;

function openOn({ socket }: Conversation, path: string, { cell, host }: Situation): WebSocket {
  const webSocket = new WebSocket(`wss://${host}${path}`, {
    createConnection: () => socket,
    headers: { Authorization: `Bearer ${cell.token}` },
  });
  webSocket.on('error', noop); // its end says it as well
  return webSocket;
}

/** What comes first: what is waited for, the end, or nothing at all. */
async function next(webSocket: WebSocket, event: 'open' | 'message'): Promise<Outcome> {
  if (webSocket.readyState === WebSocket.CLOSED) return 'cut';
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const onEvent = (): void => resolve('answered');
  const onClose = (): void => resolve('cut');
  webSocket.once(event, onEvent).once('close', onClose);
  const timer = setTimeout(() => resolve('stuck'), STUCK_MS);
  const outcome = await promise;
  clearTimeout(timer);
  webSocket.off(event, onEvent).off('close', onClose);
  return outcome;
}

export const webSocketBehaviours: readonly Behaviour[] = [
  {
    name: 'talks over a WebSocket',
    weight: 3,
    expected: ['answered'],
    over: 'websocket',
    async run(conversation, situation) {
      const { onAnswer, stage } = situation;
      const webSocket = openOn(conversation, '/v1/talk', situation);
      const until = performance.now() + between(situation, 2 * LIFE_MS);
      const opened = await next(webSocket, 'open');
      if (opened !== 'answered') return opened;
      for (;;) {
        const answer = next(webSocket, 'message');
        webSocket.send('one message');
        const outcome = await answer;
        if (outcome !== 'answered') return outcome;
        onAnswer();
        if (performance.now() >= until || !(await stage.wait(between(situation, PAUSE_MS)))) break;
      }
      const closed = once(webSocket, 'close');
      webSocket.close();
      await Promise.race([closed, stage.wait(STUCK_MS)]);
      return 'answered';
    },
  },
  {
    name: 'stops reading a WebSocket',
    weight: 2,
    expected: ['left'],
    over: 'websocket',
    async run(conversation, situation) {
      const webSocket = openOn(conversation, '/v1/flood', situation);
      const opened = await next(webSocket, 'open');
      if (opened !== 'answered') return opened;
      conversation.socket.pause();
      return conversation.leaveAfter(between(situation, LIFE_MS), situation.stage);
    },
  },
  {
    name: 'meets a WebSocket that dies',
    weight: 1,
    expected: ['cut'],
    over: 'websocket',
    async run(conversation, situation) {
      const webSocket = openOn(conversation, '/v1/dying', situation);
      const opened = await next(webSocket, 'open');
      if (opened !== 'answered') return opened;
      const answer = next(webSocket, 'message');
      webSocket.send('one message');
      return answer;
    },
  },
];

const served: Readonly<Record<string, (webSocket: WebSocket, socket: Duplex) => void>> = {
  '/v1/talk': (webSocket) => webSocket.on('message', (data) => webSocket.send(data, { binary: false })),
  '/v1/dying': (webSocket, socket) => webSocket.on('message', () => socket.destroy()),
  /* As much as is taken, and no more in memory than one piece. */
  '/v1/flood'(webSocket) {
    const more = (error?: Error): void => {
      if (error === undefined && webSocket.readyState === WebSocket.OPEN) webSocket.send(PIECE, more);
    };
    more();
  },
};

/** Takes upgrades at the upstream. @param count told of each that began, with +1, and of its end, with -1 */
export function webSocketServer(
  count: (more: number) => void,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const server = new WebSocketServer({ noServer: true });
  return (request, socket, head) => {
    const serve = served[request.url ?? ''];
    if (serve === undefined) {
      socket.destroy();
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      count(1);
      webSocket.on('error', noop);
      webSocket.once('close', () => count(-1));
      serve(webSocket, socket);
    });
  };
}
