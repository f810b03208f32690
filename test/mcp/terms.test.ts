/** What governs a caller is found once for each revision, and never what refuses it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { AppError, type WorkspaceId } from '../../src/kernel/index.ts';
import type { Principal, ProfileView } from '../../src/mcp/index.ts';
import { Terms } from '../../src/mcp/gate/terms.ts';
import { NO_RULES } from '../../src/policy/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { echoServer as server } from './harness.ts';

const workspace = 'ws_test' as WorkspaceId;
const caller = (id: string): Principal => ({
  workspace,
  actor: { kind: 'token', id },
  profile: 'p',
  agent: 'a',
});
const ada = { principal: caller('tok_ada'), profile: 'p', server };
const bob = { principal: caller('tok_bob'), profile: 'p', server };

let revision: number;
let isStopped: boolean;
let rules = NO_RULES;
let asked: string[];
let view: ProfileView | null;

const ports = {
  upstreams: {
    async profile() {
      asked.push('profile');
      return view;
    },
  },
  kills: {
    async check({ actor }: Principal, slug: string | null) {
      asked.push(`kills ${actor.id} ${slug ?? ''}`);
      if (isStopped) throw new AppError('kill_active', 'stopped', { kind: 'denied' });
    },
    isStopped: async () => isStopped,
    onKill: () => () => undefined,
  },
  rules: {
    async rulesOf() {
      asked.push('rules');
      return rules;
    },
    onChange: () => () => undefined,
  },
  definitions: {
    async judge() {
      asked.push('judge');
      return () => 'approved' as const;
    },
  },
  masks: {
    async maskersOf() {
      asked.push('maskers');
      return { whole: null, placed: null };
    },
  },
};
const kept = () => new Terms({ ...ports, revision: () => revision });

beforeEach(() => {
  [revision, isStopped, rules, asked] = [1, false, NO_RULES, []];
  view = { name: 'p', servers: [server], tokenInUrl: false, search: false };
});

async function everything(terms: Terms, target: typeof ada): Promise<void> {
  await terms.profile(target.principal, 'p');
  await terms.callerMayGo(target.principal);
  await terms.mayGo(target);
  await terms.rules(target);
  await terms.judge(target);
  await terms.beside(target);
}
const ALL = ['profile', 'kills tok_ada ', 'kills tok_ada echo', 'rules', 'judge'];

describe('what governs a caller at a server', () => {
  it('is asked for once, and known at once from then on', async () => {
    const terms = kept();
    await everything(terms, ada);
    expect(asked).toEqual(ALL);
    expect(terms.profile(ada.principal, 'p')).toBe(view);
    expect(terms.callerMayGo(ada.principal)).toBeUndefined();
    expect(terms.mayGo(ada)).toBeUndefined();
    expect(terms.rules(ada)).toBe(NO_RULES);
    expect(terms.judge(ada)).toBeTypeOf('function');
    expect(terms.beside(ada)).toEqual({ masks: [], maskers: null });
    expect(asked).toEqual(ALL);
  });

  it('is asked for anew after a change', async () => {
    const terms = kept();
    await everything(terms, ada);
    revision = 2;
    await everything(terms, ada);
    expect(asked).toEqual([...ALL, ...ALL]);
  });

  it('is asked for each time where nobody says when it changes', async () => {
    const terms = new Terms(ports);
    await everything(terms, ada);
    await everything(terms, ada);
    expect(asked.filter((what) => what.startsWith('kills'))).toHaveLength(4);
    expect(asked.filter((what) => what === 'judge')).toHaveLength(2);
  });

  it('is its own: what one may do says nothing of another, or of another profile', async () => {
    const terms = kept();
    await terms.mayGo(ada);
    isStopped = true;
    await expect(terms.mayGo(bob)).rejects.toMatchObject({ code: 'kill_active' });
    await expect(terms.callerMayGo(bob.principal)).rejects.toMatchObject({ code: 'kill_active' });
    await terms.rules(ada);
    rules = rulesOf('rules: [{ id: one, do: deny }]');
    expect(await terms.rules({ ...ada, profile: 'other' })).toBe(rules);
    isStopped = false;
    await expect(terms.mayGo(bob)).resolves.toBeUndefined();
  });

  it('never keeps a refusal, and no profile that is not there', async () => {
    const terms = kept();
    isStopped = true;
    await expect(terms.mayGo(ada)).rejects.toMatchObject({ code: 'kill_active' });
    await expect(terms.mayGo(ada)).rejects.toMatchObject({ code: 'kill_active' });
    const found = view;
    view = null;
    expect(await terms.profile(ada.principal, 'p')).toBeNull();
    view = found;
    expect(await terms.profile(ada.principal, 'p')).toBe(found);
    expect(asked).toHaveLength(4);
  });

  it('counts as of before it was read: a change in between is seen by the next look', async () => {
    const terms = kept();
    const reading = terms.rules(ada);
    const looking = terms.mayGo(ada);
    const viewing = terms.profile(ada.principal, 'p');
    revision = 2;
    isStopped = true;
    rules = rulesOf('rules: [{ id: one, do: deny }]');
    view = null;
    await Promise.all([reading, looking, viewing]);
    expect(await terms.rules(ada)).toBe(rules);
    expect(await terms.profile(ada.principal, 'p')).toBeNull();
    await expect(terms.mayGo(ada)).rejects.toMatchObject({ code: 'kill_active' });
  });

  it('has what masks it beside answers from the rules that hold', async () => {
    const terms = kept();
    rules = rulesOf('rules: [{ id: keys, do: mask, mask: { keys: [password] } }]');
    expect(await terms.beside(ada)).toMatchObject({ masks: [{ rule: 'keys' }], maskers: { whole: null } });
    expect(terms.beside(ada)).toMatchObject({ masks: [{ rule: 'keys' }] });
    expect(asked).toEqual(['rules', 'maskers']);
  });
});
