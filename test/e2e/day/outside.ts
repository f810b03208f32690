/**
 * The world outside of the gateway, on one TLS listener on loopback: GitHub's API, Slack, and the webhook of whoever is on
 * call. It keeps what it was sent, and checks none of it: that is for the test.
 */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { createTestAuthority } from '../../egress/test-authority.ts';

export const GITHUB = 'api.github.com';
export const SLACK = 'hooks.slack.com';
export const ON_CALL = 'ops.acme.example';
const HOSTS = [GITHUB, SLACK, ON_CALL];

/** Of nobody: the number that every payment system gives out for tests. */
export const CARD = '4111 1111 1111 1111';
/** An issue that the API begins to look for, and never finds. */
export const LOST_ISSUE = 13;

interface Arrived {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly socket: Socket;
}

export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly {
    readonly type: string;
    readonly elements?: readonly { readonly action_id?: string; readonly value?: string }[];
  }[];
}

export interface Outside {
  /** `address:port`, where all of them are. */
  readonly authority: string;
  readonly caPem: string;
  /** What came for one of them, in order. */
  arrivedAt(host: string): readonly Arrived[];
  close(): Promise<void>;
}

export async function openOutside(): Promise<Outside> {
  const authority = createTestAuthority(HOSTS);
  const contexts = new Map(HOSTS.map((host) => [host, createSecureContext(authority.issue(host))]));
  const arrived: Arrived[] = [];
  const server = createServer(
    { SNICallback: (name, done) => done(null, contexts.get(name)) },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url: path = '', headers, socket } = request;
        const host = headers.host ?? '';
        arrived.push({ host, method, path, headers, socket, body: Buffer.concat(chunks).toString() });
        if (host === GITHUB) answerAsGitHub(`${method} ${path}`, response);
        else response.end('ok');
      });
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  return {
    authority: `127.0.0.1:${port}`,
    caPem: authority.caPem,
    arrivedAt: (host) => arrived.filter((one) => one.host === host),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function answerAsGitHub(asked: string, response: ServerResponse): void {
  if (asked === `GET /repos/acme/shop/issues/${LOST_ISSUE}`) return;
  response.setHeader('content-type', 'application/json');
  if (asked === 'GET /repos/acme/shop/issues/7')
    response.end(
      JSON.stringify({
        number: 7,
        title: 'Paid twice',
        body: `A customer wrote: my card is ${CARD}, you took 40 twice.`,
      }),
    );
  else if (asked === 'POST /repos/acme/shop/issues')
    response.end(JSON.stringify({ number: 8, html_url: 'https://github.com/acme/shop/issues/8' }));
  else if (asked.startsWith('GET /search/code?')) response.end('{"total_count":0,"items":[]}');
  else {
    response.statusCode = 404;
    response.end('{"message":"Not Found"}');
  }
}

/** What Slack sends when one of its members presses a button, signed as Slack does. */
export function pressed(
  message: SlackMessage | undefined,
  action: 'approve' | 'reject',
  { member, secret, at = Date.now() }: { member: string; secret: string; at?: number },
): { readonly headers: Record<string, string>; readonly body: string } {
  const buttons = message?.blocks.flatMap(({ elements = [] }) => elements) ?? [];
  const button = buttons.find((one) => one.action_id === action);
  const payload = {
    type: 'block_actions',
    user: { id: member },
    actions: [{ type: 'button', action_id: action, value: button?.value ?? 'no such button' }],
    response_url: `https://${SLACK}/actions/T0ACME/1/ANSWERSECRET123`,
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const seconds = Math.floor(at / 1_000);
  const digest = createHmac('sha256', secret).update(`v0:${seconds}:${body}`).digest('hex');
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-slack-request-timestamp': String(seconds),
    'x-slack-signature': `v0=${digest}`,
  };
  return { headers, body };
}
