/** How it is found out which revision a server speaks, on the one process that it is. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixture, type Harness, principal, startHarness } from '../harness.ts';

const operator = principal('uid', null);
const HOWS = ['odd-code', 'says-yes', 'garbage', 'silent', 'older-only', 'older-listed', 'dies'] as const;

let harness: Harness;
beforeEach(async () => {
  const openings = HOWS.map((how) => [how, { command: fixture('openings', how) }] as const);
  harness = await startHarness({
    default: {
      ...Object.fromEntries(openings),
      echo: { command: fixture('echo') },
      modern: { command: fixture('modern') },
      slow: { command: fixture('modern', 'slow') },
      deaf: { command: fixture('modern', 'ignores-initialize') },
      future: { command: fixture('modern', 'from-the-future') },
    },
  });
});
afterEach(() => harness.close());

/** The tools that the server shows, and what was learnt of it. */
async function shown(slug: string): Promise<string> {
  return harness.front.listTools(operator, slug);
}

describe('a server that wants a handshake', () => {
  it.each(HOWS.filter((how) => how !== 'dies'))(
    'gets it when its answer to the question is: %s',
    async (how) => {
      expect(await shown(how)).toContain('"go"');
      await expect.poll(() => harness.learned, { timeout: 10_000 }).toEqual([`${how} session`]);
      expect(harness.transports).toHaveLength(1);
      const said = await harness.front.callTool(operator, null, how, 'go', '{}');
      expect(said).toContain('server/discover initialize notifications/initialized');
      expect(said).not.toContain('cancelled');
    },
  );

  it('is not asked again once that is known', async () => {
    await shown('odd-code');
    await harness.transports[0]?.close();
    const said = await harness.front.callTool(operator, null, 'odd-code', 'go', '{}');
    expect(said).toContain('"initialize notifications/initialized');
    expect(harness.transports).toHaveLength(2);
  });

  it('is started once more when the question was the end of it, for all who wait', async () => {
    const lists = await Promise.all([shown('dies'), shown('dies'), shown('dies')]);
    expect(lists.every((list) => list.includes('"go"'))).toBe(true);
    expect(harness.transports).toHaveLength(2);
    expect(harness.learned.slice(0, 1)).toEqual(['dies session died']);
    expect(harness.learned.at(-1)).toBe('dies session');
  });
});

describe('a server that knows no handshake', () => {
  it('is spoken to in its own way', async () => {
    expect(await shown('modern')).toContain('"echo"');
    expect(harness.learned).toEqual(['modern stateless']);
    expect(await harness.front.callTool(operator, null, 'modern', 'seen', '{}')).not.toContain('initialize');
  });

  it.each(['slow', 'deaf'])('is found out also when it is %s', async (slug) => {
    expect(await shown(slug)).toContain('"echo"');
    expect(harness.learned).toEqual([`${slug} stateless`]);
    expect(harness.transports).toHaveLength(1);
  });

  it('is refused with the reason when none of its revisions is spoken here', async () => {
    await expect(shown('future')).rejects.toMatchObject({
      code: 'upstream_version_unsupported',
      hint: expect.stringContaining('2026-07-28'),
    });
    expect(harness.transports[0]?.alive).toBe(false);
  });
});

describe('what is remembered of a server', () => {
  it.each([
    ['is given time where it answered before', 'stateless', false],
    ['is greeted beside the question where nothing is known', null, true],
  ] as const)('slow to answer: it %s', async (_, known, isGreeted) => {
    if (known !== null) harness.remember('slow', known);
    const seen = await harness.front.callTool(operator, null, 'slow', 'seen', '{}');
    expect(seen.includes('initialize')).toBe(isGreeted);
  });

  it('yields to what it says now', async () => {
    harness.remember('modern', 'session');
    expect(await shown('modern')).toContain('"echo"');
    harness.remember('echo', 'stateless');
    expect(await shown('echo')).toContain('"echo"');
    expect(harness.learned).toEqual(['modern stateless', 'echo session']);
    expect(harness.transports).toHaveLength(2);
  });
});
