/**
 * Secrets of the gateway's own receivers in the vault: set by the operator, used by the gateway alone and on record, also while
 * everything is stopped, and no server to anybody. Real vault, real data plane, a receiver on this machine.
 */
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RECEIVERS } from '../../src/audit/index.ts';
import { isOfDelivery } from '../../src/delivery/own-events.ts';
import { fixedClock, Secret, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { webhookSender } from '../../src/main/delivery/http-senders.ts';
import { createReceivers, type Receivers } from '../../src/main/delivery/receivers.ts';
import { type ClosableSecretSource, secretSource } from '../../src/main/delivery/secret-source.ts';
import { serverRows } from '../../src/main/repositories.ts';
import { checkpoint, event } from '../delivery/events.ts';
import { type DeliveryWorld, HOST, makeDeliveryWorld } from './delivery-world.ts';

const KEY = Buffer.alloc(32, 3);
const SIGNING = `whsec_${KEY.toString('base64')}`;
const AUTHORIZATION = 'Bearer collector-key-8hJ2kQ9mZ4pX7vW1';
const batch = { id: 'batch-1', at: 0, events: [event(1)], checkpoints: [checkpoint(1)] };
const settings = {
  name: 'siem',
  url: `https://${HOST}/events`,
  secretFile: 'vault:siem-signing',
  authorizationFile: 'vault:siem-login',
};

const NONE: { headers: Record<string, string>; body: Buffer } = { headers: {}, body: Buffer.alloc(0) };

let world: DeliveryWorld;
let receivers: Receivers;
let clock: ReturnType<typeof fixedClock>;
let secrets: ClosableSecretSource;

beforeEach(async () => {
  world = await makeDeliveryWorld();
  const { workspace, store, vault, local } = world.home;
  receivers = createReceivers({
    workspace,
    operator: local,
    store,
    vault,
    clock: systemClock,
    random: systemRandom,
  });
  clock = fixedClock(1_800_000_000_000);
  secrets = secretSource({ home: world.home.directory, open: (name) => receivers.open(name), clock });
});
afterEach(async () => {
  secrets.clear();
  await world.close();
});

const set = (name: string, text: string) => receivers.set(name, Secret.fromString(text));
const send = () =>
  webhookSender({ way: world.way, secrets, clock: systemClock, version: '1' }, settings).send(
    batch,
    AbortSignal.timeout(30_000),
  );
const uses = async () =>
  (await world.home.events()).filter(
    ({ type, server }) => type === 'credential.used' && server === RECEIVERS,
  );

it('sign and log in, each use on record, and no event has them or is a reason to send', async () => {
  await set('siem-signing', SIGNING);
  await set('siem-login', AUTHORIZATION);
  await send();
  const [{ headers, body } = NONE] = world.received;
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`;
  const mac = createHmac('sha256', KEY).update(signed).update(body).digest('base64');
  expect([headers['webhook-signature'], headers['authorization']]).toEqual([`v1,${mac}`, AUTHORIZATION]);
  const used = await uses();
  expect(used.map(({ actor, data }) => [actor.kind, data['name'], data['purpose']])).toEqual([
    ['system', 'siem-signing', 'deliver'],
    ['system', 'siem-login', 'deliver'],
  ]);
  expect(used.every(isOfDelivery)).toBe(true);
  const log = await world.logged();
  expect(log).toContain('secret.set');
  for (const value of [SIGNING, KEY.toString('base64'), '8hJ2kQ9mZ4pX7vW1']) expect(log).not.toContain(value);
});

it('hold anew soon after they were changed, and many messages are one use', async () => {
  await set('siem-signing', SIGNING);
  await set('siem-login', AUTHORIZATION);
  await send();
  await set('siem-login', 'Bearer another-key-0123456789abcdef');
  await send();
  expect(await uses()).toHaveLength(2);
  clock.advance(10_000);
  await send();
  expect(world.received.map(({ headers }) => headers.authorization)).toEqual([
    AUTHORIZATION,
    AUTHORIZATION,
    'Bearer another-key-0123456789abcdef',
  ]);
  expect(await uses()).toHaveLength(4);
});

it('are used while everything is stopped, by the gateway alone', async () => {
  const { workspace, store, vault, agent, local } = world.home;
  await set('siem-signing', SIGNING);
  const id = await world.home.addServer('github');
  const own = { server: id, serverSlug: 'github', name: 'KEY', owner: null };
  await vault.put(local, own, Secret.fromString('a-value-of-a-server'));
  const kill = { scope: 'all', target: '', at: 1, by: 'local:0', reason: 'test' } as const;
  await store.kills.set(workspace, kill);
  const opened = await receivers.open('siem-signing');
  expect(opened.reveal()).toBe(SIGNING);
  opened.destroy();
  // Control: a server's value is stopped, for the gateway as well.
  const gateway = { workspace, actor: { kind: 'system', id: 'gateway' } } as const;
  const why = { kind: 'inject', data: {} } as const;
  await expect(vault.use(gateway, own, why)).rejects.toMatchObject({ code: 'kill_active' });
  await store.kills.lift(workspace, 'all', '');

  const row = await store.servers.findBySlug(workspace, RECEIVERS);
  const ref = {
    server: row?.id ?? id,
    serverSlug: RECEIVERS,
    name: 'siem-signing',
    owner: null,
  };
  for (const actor of [agent.actor, local.actor, { kind: 'cell', id: 'cel_1' } as const])
    await expect(vault.use({ workspace, actor }, ref, why)).rejects.toMatchObject({ code: 'vault_denied' });
  // Nor by the name of another server, which would not be looked at so closely.
  await expect(vault.use(agent, { ...ref, serverSlug: 'github' }, why)).rejects.toMatchObject({
    code: 'vault_denied',
  });
});

it('are no server', async () => {
  await set('siem-signing', SIGNING);
  const rows = serverRows(world.home.store);
  await world.home.addServer('github');
  expect((await rows.list(world.home.workspace)).map(({ slug }) => slug)).toEqual(['github']);
  expect(await rows.find(world.home.workspace, RECEIVERS)).toBeNull();
});

it('are listed without a value, deleted, and missed', async () => {
  await expect(receivers.open('siem-login')).rejects.toMatchObject({ code: 'receiver_secret_unknown' });
  await expect(receivers.remove('siem-login')).rejects.toMatchObject({ code: 'receiver_secret_unknown' });
  await set('siem-login', AUTHORIZATION);
  expect(await set('siem-login', AUTHORIZATION)).toMatchObject({ name: 'siem-login', version: 2 });
  expect(await receivers.list()).toMatchObject([{ name: 'siem-login', version: 2, updatedBy: 'local:0' }]);
  await receivers.remove('siem-login');
  expect(await receivers.list()).toEqual([]);
  await expect(receivers.open('siem-login')).rejects.toMatchObject({ code: 'vault_credential_missing' });
});
