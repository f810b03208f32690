/**
 * How soon the kill switch holds: for everything that can be under way at a gateway, the time from when the switch is
 * asked for until both ends of it are gone (of a switch for a token, whose cell is others' as well: until its client is told); and whether any call was let through that began after the switch was set, while
 * clients at every door go on calling. Set by the process that serves, and by another one of the same home. In milliseconds,
 * on a wall: on a machine that is shared the largest say what the others did.
 *
 *     npm run bench -- kill [--rounds 5]
 */
import { parseArgs } from 'node:util';
import {
  lineCall,
  type Scope,
  scopes,
  sessionCall,
  statelessCall,
  type Token,
  ways,
} from './support/kill-ways.ts';
import { type KillWorld, openKillWorld } from './support/kill-world.ts';
import { median, print, tableLine } from './support/measured.ts';
import { stdioBridge } from './support/callers.ts';

/** A process that did not set the switch itself goes by a store that is at most so old. */
const LOOK_MS = 5;
const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });

type Setter = 'client' | 'otherClient';
const targets: Readonly<Record<Scope, (token: Token) => string>> = {
  all: () => '',
  server: () => 'cell',
  token: ({ id }) => id,
  credential: () => 'cell/KEY',
};

const newToken = (world: KillWorld): Promise<Token> =>
  world.client.createToken({ profile: 'default', agent: 'bench' });

/** Clients that go on calling: how many calls were let through that began after a moment, and the last that was. */
class Callers {
  readonly #started: number[] = [];
  readonly #ends: Promise<void>[] = [];
  #over = false;

  add(call: () => Promise<string>): void {
    this.#ends.push(this.#loop(call));
  }

  async #loop(call: () => Promise<string>): Promise<void> {
    while (!this.#over) {
      const began = performance.now();
      const answer = await call();
      if (answer.includes('"result"') && !answer.includes('"isError":true')) this.#started.push(began);
      if (answer.startsWith('gone')) return;
    }
  }

  async letThroughAfter(moment: number): Promise<number> {
    this.#over = true;
    await Promise.all(this.#ends);
    return this.#started.filter((began) => began > moment).length;
  }
}

async function callersOf(world: KillWorld, token: Token, scope: Scope): Promise<Callers> {
  const callers = new Callers();
  const given = { text: 'x' };
  const { call } = await sessionCall(world, token);
  callers.add(() => call('echo', given));
  const stateless = statelessCall(world, token, 'echo');
  callers.add(() => stateless('echo', given));
  if (scope === 'token') return callers;
  const servers = scope === 'all' ? ['cell', 'far'] : ['cell'];
  for (const server of servers) {
    const line = await lineCall(await stdioBridge(world.socket, `/stdio?profile=default&server=${server}`));
    callers.add(() => line('echo', given));
  }
  return callers;
}

interface Result {
  readonly times: Map<string, number[]>;
  readonly returned: number[];
  letThrough: number;
}

let count = 0;

async function round(world: KillWorld, scope: Scope, setter: Setter, result: Result): Promise<void> {
  const token = await newToken(world);
  const begun: { name: string; over: Promise<unknown> }[] = [];
  for (const way of ways) {
    if (!way.covers.includes(scope)) continue;
    count += 1;
    const { over, told = over } = await way.begin(world, token, `h${count}`);
    begun.push({ name: way.name, over: scope === 'token' ? told : over });
  }
  // A switch for a credential refuses no calls.
  const callers = scope === 'credential' ? new Callers() : await callersOf(world, token, scope);
  const before = performance.now();
  const measured = begun.map(async ({ name, over }) => {
    await over;
    const times = result.times.get(name) ?? [];
    result.times.set(name, [...times, performance.now() - before]);
  });
  await world[setter].kill(scope, targets[scope](token), 'bench');
  const set = performance.now();
  result.returned.push(set - before);
  await Promise.all(measured);
  result.letThrough += await callers.letThroughAfter(set + (setter === 'client' ? 0 : LOOK_MS));
  await world.client.resume(scope, targets[scope](token));
}

const world = await openKillWorld();
try {
  for (const setter of ['client', 'otherClient'] as const) {
    const results = new Map<Scope, Result>();
    for (const scope of scopes) {
      const result: Result = { times: new Map(), returned: [], letThrough: 0 };
      for (let at = 0; at < Number(flags.rounds); at += 1) await round(world, scope, setter, result);
      results.set(scope, result);
    }
    print(setter === 'client' ? 'Set by the process that serves' : '\nSet by another process');
    print(tableLine(['ms, median / largest', ...scopes], 16, 28));
    const cell = (times: readonly number[] | undefined): string =>
      times === undefined ? '' : `${median(times).toFixed(0)} / ${Math.max(...times).toFixed(0)}`;
    for (const { name } of ways)
      print(tableLine([name, ...scopes.map((scope) => cell(results.get(scope)?.times.get(name)))], 16, 28));
    print(
      tableLine(['the command itself', ...scopes.map((scope) => cell(results.get(scope)?.returned))], 16, 28),
    );
    const through = scopes.map((scope) => String(results.get(scope)?.letThrough ?? 0));
    print(tableLine(['calls let through after it', ...through], 16, 28));
  }
} finally {
  await world.close();
}
process.exit(0);
