/** A server of both eras that takes so long to start that it finds the question and the greeting, and answers both. */
import { resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fixture, type Harness, startHarness } from '../harness.ts';
import { CLIENTS, takeSeat } from '../matrix/seats.ts';

const EVERYTHING = resolve(import.meta.dirname, '../../conformance/everything/stdio.ts');

let harness: Harness;
afterEach(() => harness.close());

describe('a server that answers the question and the greeting', () => {
  it.each(Object.entries(CLIENTS))('was greeted, and what it asks reaches %s', async (_client, mode) => {
    const command = fixture('slow-start', '1500', EVERYTHING, 'both');
    harness = await startHarness({ default: { it: { command, tools: '*' } } });
    const seat = await takeSeat(harness, 'both', mode, 'HTTP, one server');
    const params = { name: 'test_sampling', arguments: { prompt: 'Well?' } };
    expect(await seat.client.callTool(params, { timeout: 20_000 })).toMatchObject({
      content: [{ text: 'LLM response: sampled {"type":"text","text":"Well?"}' }],
    });
    // Of both: it is asked again at its next start.
    await expect.poll(() => harness.learned, { timeout: 10_000 }).toEqual(['it stateless']);
    await seat.close();
  });
});
