import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeTerminal, type Terminal } from '../cli/terminal.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
let terminal: Terminal;
beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world);
});
afterEach(() => world.close());

it('a value for a receiver goes in by a command, is listed, and comes out of none', async () => {
  const set = await terminal.runWith('xoxb-not-to-be-seen\n', 'receiver', 'set', 'slack-bot', '--stdin');
  expect(set).toMatchObject({ code: 0 });
  expect(set.stdout).toContain('vault:slack-bot in sallyport.yaml');
  const list = await terminal.run('receiver', 'list');
  expect(list.stdout).toMatch(/slack-bot +version 1/);
  const got = await world.ask('GET', '/receivers/secrets');
  expect(JSON.stringify(got)).not.toContain('not-to-be-seen');
  expect((await world.client.servers()).map(({ slug }) => slug)).not.toContain('gateway:receivers');
  expect((await terminal.run('receiver', 'delete', 'slack-bot')).stdout).toContain('Deleted: slack-bot.');
  expect((await terminal.run('receiver', 'list')).stdout).toContain('Nothing is set.');
  await expect(world.client.setReceiverSecret('Not A Name', 'x')).rejects.toMatchObject({
    code: 'api_input_invalid',
  });
});
