/**
 * ATTACKS 15, 17 and 25 at the deliveries' own way out: a receiver that wants their keys, or the gateway's time, memory or
 * reach. Each with what it may do as the control.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { limits, systemClock } from '../../src/kernel/index.ts';
import { webhookSender } from '../../src/main/delivery/http-senders.ts';
import { event } from '../delivery/events.ts';
import { type DeliveryWorld, HOST, makeDeliveryWorld, fileSecrets } from '../main/delivery-world.ts';

const SECRET = 'collector-key-8hJ2kQ9mZ4pX7vW1';
const batch = { id: 'batch-1', at: 0, events: [event(1)], checkpoints: [] };

let world: DeliveryWorld;
beforeEach(async () => {
  world = await makeDeliveryWorld();
  world.secretFile('authorization', `Bearer ${SECRET}`);
});
afterEach(() => world.close());

const send = (signal: AbortSignal = new AbortController().signal) =>
  webhookSender(
    { way: world.way, secrets: fileSecrets(world.home.directory), clock: systemClock, version: '1' },
    { name: 'siem', url: `https://${HOST}/`, authorizationFile: 'authorization' },
  ).send(batch, signal);

it('a redirect takes neither events nor keys elsewhere', async () => {
  world.answer = ({ url }, response) =>
    url === '/' ? response.writeHead(307, { location: `${world.plainUrl}/stolen` }).end() : response.end();
  await expect(send()).rejects.toMatchObject({ code: 'delivery_refused' });
  expect(world.received.map(({ url }) => url)).toEqual(['/']);
  world.answer = (_request, response) => response.end();
  expect(await send(), 'the control').toEqual({ rejected: 0 });
});

it('an answer with the key in it, in whatever form, brings it into no error and no log', async () => {
  const forms = [SECRET, Buffer.from(SECRET).toString('base64'), Buffer.from(SECRET).toString('hex')];
  for (const form of forms) {
    world.answer = (_request, response) =>
      response.writeHead(400, { 'x-error': `bad key ${form}` }).end(`bad key ${form}`);
    const error: unknown = await send().catch((thrown: unknown) => thrown);
    expect(JSON.stringify([error, String(error)])).not.toContain(form);
  }
  expect(world.received[0]?.headers.authorization, 'the control').toBe(`Bearer ${SECRET}`);
  const log = await world.logged();
  for (const form of forms) expect(log).not.toContain(form);
  expect(log).toContain('egress.masked');
});

it('an answer without an end is read no further than it may be', async () => {
  let isCut = false;
  world.answer = (_request, response) => {
    const piece = Buffer.alloc(limits.deliveryAnswerBytesMax / 4, 0x20);
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more).on('close', () => {
      isCut = true;
    });
    more();
  };
  expect(await send()).toEqual({ rejected: 0 });
  await expect.poll(() => isCut, { timeout: 10_000 }).toBe(true);
});

it('a receiver that says nothing is waited for no longer than the sender wants', async () => {
  const late = new AbortController();
  world.answer = () => late.abort(new Error('late'));
  await expect(send(late.signal)).rejects.toThrow('late');
});
