/** How long somebody waits for a server that does not say what it offers. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { askForDefinitions, type LookDeps } from '../../src/main/look.ts';
import { operatorOf } from '../../src/main/front-ports.ts';
import type { WorkspaceId } from '../../src/kernel/index.ts';

describe('a server that does not say what it offers', () => {
  afterEach(() => void vi.useRealTimers());

  it('is waited for as long as it was given, and then ended', async () => {
    vi.useFakeTimers();
    const seen: string[] = [];
    const deps: LookDeps = {
      pool: {
        look: async (slug, use) => {
          seen.push(`started ${slug}`);
          try {
            return await use({ kind: 'lines' } as never);
          } finally {
            seen.push('ended');
          }
        },
      },
      front: { definitionsOf: () => new Promise(() => undefined) },
      kills: { check: async () => undefined },
      operator: operatorOf('ws_1' as WorkspaceId),
    };
    const asked = askForDefinitions(deps, 'mute', 8_000).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(7_999);
    expect(seen).toEqual(['started mute']);
    await vi.advanceTimersByTimeAsync(1);
    expect(await asked).toMatchObject({
      code: 'definitions_late',
      message: '`mute` did not say within 8 s what it offers.',
    });
    expect(seen).toEqual(['started mute', 'ended']);
  });
});
