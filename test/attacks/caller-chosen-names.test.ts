/**
 * ATTACKS 22 and 25: names that callers choose are as long as they like, and as many. What is remembered of them is bounded, and
 * what is refused is on record whatever its name is.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { callAudit, operatorOf } from '../../src/main/front-ports.ts';
import { planLimits } from '../../src/policy/index.ts';
import { makeWorld, type World } from '../api/world.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { asked } from '../recording/world.ts';

describe('what rules remember of names', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  const heldMiB = (): number => {
    collect();
    return process.memoryUsage().heapUsed / limits.MIB;
  };

  it('is nothing of those that are as long as a book', () => {
    const rules = rulesOf(`rules: [{ id: no-secrets, match: { resources: '*secret*' }, do: deny }]`);
    const decide = (name: string) => rules.decide(asked({ subject: 'resource', name })).outcome;
    const before = heldMiB();
    for (let number = 0; number < 100; number += 1) {
      expect(decide(`x:${number}${'~'.repeat(limits.MIB)}`)).toBe('allow');
      expect(decide(`x:${number}${'~'.repeat(limits.MIB)}secret`)).toBe('deny');
    }
    expect(heldMiB() - before).toBeLessThan(50);
    // The control: it was held against the rules.
    expect(decide('x:secret')).toBe('deny');
  });

  it('is no more in what is counted of them', () => {
    const rules = rulesOf(
      'rules: [{ id: few, match: { resources: "*" }, do: limit, limit: { calls: 1, per: month, by: [tool], concurrent: 1 } }]',
    );
    const keysOf = (name: string): readonly string[] => {
      const { counted, flying } = planLimits(rules.decide(asked({ subject: 'resource', name })).limits, {
        server: 'a',
        name,
      });
      return [...counted, ...flying].map(({ key }) => key);
    };
    const long = '~'.repeat(limits.MIB);
    expect(keysOf('write')).toHaveLength(2);
    for (const key of keysOf(`${long}a`)) expect(key.length).toBeLessThan(1_000);
    // The control: names of any use are told apart.
    expect(keysOf('write')).not.toEqual(keysOf('read'));
    expect(keysOf(`${long}a`)).not.toEqual(keysOf(`${long}aa`));
  });
});

describe('what is refused', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.close());

  it.each([
    ['as long as a book', `x:${'~'.repeat(100_000)}`],
    ['no text that could be written', 'x:\ud800'],
  ])('is on record where its name is %s', async (_, name) => {
    const audit = callAudit(world.services, async () => undefined);
    const principal = operatorOf(world.services.workspace);
    const about = { principal, profile: null, server: 'echo' };
    await audit.refused({ ...about, tool: null, resource: name, code: 'policy_denied' });
    await audit.refused({ ...about, tool: name, code: 'tool_unknown' });
    await audit.alerted({ ...about, resource: name, rule: 'r', severity: 'warning', outcome: 'deny' });
    const types = await world.types();
    expect(types.slice(-3)).toEqual(['call.refused', 'call.refused', 'policy.alerted']);
  });
});
