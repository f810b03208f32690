/** The port that a browser comes back to: what it hands on, and what it says to whom. */
import { createServer, request } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { CallbackDoor } from '../../src/cli/index.ts';
import { openCallbackDoor } from '../../src/main/oauth/callback-door.ts';

let door: CallbackDoor;
afterEach(() => door.close());

interface Said {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
}

function visit(target: string, over: { method?: string; host?: string } = {}): Promise<Said> {
  const { hostname, port, pathname } = new URL(door.redirectUri);
  return new Promise((done, fail) => {
    request(
      {
        hostname,
        port,
        path: target.startsWith('?') ? pathname + target : target,
        method: over.method ?? 'GET',
        ...(over.host === undefined ? {} : { headers: { host: over.host } }),
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('end', () =>
          done({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(chunks).toString() }),
        );
      },
    )
      .on('error', fail)
      .end();
  });
}

describe('the door of a login', () => {
  it('hands on what comes, as it came, and says what it is told to say', async () => {
    door = await openCallbackDoor(0);
    expect(door.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/oauth\/callback$/);
    const visits = [visit('?code=a%2Fb&state=c'), visit('?<script>')];
    const seen: string[] = [];
    for await (const arrival of door.arrivals) {
      seen.push(arrival.query);
      arrival.answer(seen.length === 1, `said ${seen.length}`);
      if (seen.length === 2) break;
    }
    expect(seen.toSorted()).toEqual(['<script>', 'code=a%2Fb&state=c']);
    const said = await Promise.all(visits);
    expect(new Set(said.map(({ status }) => status))).toEqual(new Set([200, 400]));
    for (const { headers, text } of said) {
      expect(text).toMatch(/^said \d\n$/);
      expect(headers).toMatchObject({
        'content-type': 'text/plain; charset=utf-8',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
    }
  });

  it('is for this name, this path and this method only', async () => {
    door = await openCallbackDoor(0);
    expect(await visit('?code=x', { host: 'evil.test' })).toMatchObject({ status: 403 });
    expect(await visit('?code=x', { method: 'POST' })).toMatchObject({ status: 404 });
    expect(await visit('/?code=x')).toMatchObject({ status: 404 });
    const control = visit('?code=x');
    for await (const arrival of door.arrivals) {
      arrival.answer(true, 'yes');
      break;
    }
    expect(await control).toMatchObject({ status: 200 });
  });

  it('says what to do when the port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const { port } = taken.address() as AddressInfo; // it listens on TCP
    await expect(openCallbackDoor(port)).rejects.toMatchObject({
      code: 'listen_failed',
      hint: expect.stringContaining('--port') as unknown,
    });
    taken.close();
    door = await openCallbackDoor(0);
  });
});
