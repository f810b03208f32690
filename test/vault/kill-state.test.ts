import { describe, expect, it } from 'vitest';
import type { WorkspaceId } from '../../src/kernel/index.ts';
import type { KillRecord, Store } from '../../src/store/index.ts';
import { createKillState } from '../../src/vault/index.ts';

const workspace = 'ws_1' as WorkspaceId;
const target = { workspace, server: 'github', actor: { kind: 'token', id: 'tok1' } } as const;
const kill: KillRecord = { workspace: null, scope: 'all', target: '', at: 1, by: 'b', reason: 'r' };

describe('the kill state', () => {
  /** A store whose state is set by the test, and which counts how often it is read. */
  function standIn() {
    const state = { revision: 1, kills: [] as KillRecord[], reads: 0, fails: false };
    const unused = () => Promise.reject(new Error('not part of this test'));
    const store: Pick<Store, 'kills' | 'revision'> = {
      revision: () => state.revision,
      kills: {
        set: unused,
        lift: unused,
        list: unused,
        async listEverywhere() {
          state.reads += 1;
          if (state.fails) throw new Error('the disk is gone');
          return state.kills;
        },
      },
    };
    return { state, kills: createKillState(store) };
  }

  it('answers from memory until something has changed', async () => {
    const { state, kills } = standIn();
    for (let round = 0; round < 3; round += 1) expect(await kills.active(target)).toBeNull();
    expect(state.reads).toBe(1);
    state.kills = [kill];
    state.revision += 1;
    for (let round = 0; round < 3; round += 1) expect(await kills.active(target)).toBe(kill);
    expect(state.reads).toBe(2);
  });

  it('lets nobody through when it cannot know', async () => {
    const { state, kills } = standIn();
    expect(await kills.active(target)).toBeNull();
    state.revision += 1;
    state.fails = true;
    await expect(kills.active(target)).rejects.toThrow('the disk is gone');
    await expect(kills.active(target)).rejects.toThrow('the disk is gone');
  });

  it('concerns servers by slug, and what is not about a server not at all', async () => {
    const { state, kills } = standIn();
    state.kills = [{ ...kill, workspace, scope: 'server', target: 'github' }];
    expect(await kills.active(target)).toBe(state.kills[0]);
    expect(await kills.active({ ...target, server: null })).toBeNull();
  });

  it('concerns the actor as token or as user, and the user on whose behalf it happens', async () => {
    const { state, kills } = standIn();
    const set = (scope: 'token' | 'user', id: string): void => {
      state.kills = [{ ...kill, workspace, scope, target: id }];
      state.revision += 1;
    };
    const user = { ...target, actor: { kind: 'user', id: 'usr1' } } as const;
    set('token', 'tok1');
    expect(await kills.active(target)).toBe(state.kills[0]);
    expect(await kills.active({ ...target, actor: { kind: 'user', id: 'tok1' } })).toBeNull();
    set('user', 'usr1');
    expect(await kills.active(user)).toBe(state.kills[0]);
    expect(await kills.active({ ...target, owner: 'usr1' })).toBe(state.kills[0]);
    expect(await kills.active({ ...target, owner: null })).toBeNull();
    expect(await kills.active({ ...user, workspace: 'ws_2' as WorkspaceId })).toBeNull();
  });
});
