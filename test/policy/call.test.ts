import { describe, expect, it } from 'vitest';
import {
  type CallFacts,
  type CallRequest,
  decideCall,
  decideKill,
  findKill,
  type Kill,
  visibleTools,
} from '../../src/policy/index.ts';

const request: CallRequest = {
  workspace: 'ws_1',
  profile: 'default',
  server: 'github',
  tool: 'get_issue',
  token: 'tok_1',
  user: 'usr_1',
};
const facts = (changes: Partial<CallFacts> = {}): CallFacts => ({
  serverEnabled: true,
  choice: ['get_issue'],
  defaultTools: undefined,
  tool: { name: 'get_issue' },
  kills: [],
  ...changes,
});
const codeOf = (changes: Partial<CallFacts>): string => {
  const decision = decideCall(request, facts(changes));
  return decision.allow ? 'allowed' : decision.code;
};
const readOnly = { name: 'get_issue', annotations: { readOnlyHint: true } };

describe('decideCall', () => {
  it.each([
    ['a listed tool', {}, 'allowed'],
    ['every tool', { choice: '*' }, 'allowed'],
    ['a tool of the default list', { choice: null, defaultTools: ['get_issue'] }, 'allowed'],
    ['a read-only tool without a list', { choice: null, tool: readOnly }, 'allowed'],
    ['an unlisted tool', { choice: ['other'] }, 'tool_not_selected'],
    ['an empty list', { choice: [] }, 'tool_not_selected'],
    ['a read-only tool beside a list', { choice: ['other'], tool: readOnly }, 'tool_not_selected'],
    [
      'a read-only tool beside a default list',
      { choice: null, defaultTools: [], tool: readOnly },
      'tool_not_selected',
    ],
    ['a tool that says nothing', { choice: null }, 'tool_not_selected'],
    [
      'a tool that writes',
      { choice: null, tool: { name: 'get_issue', annotations: { readOnlyHint: false } } },
      'tool_not_selected',
    ],
    ['a tool that the server lacks', { choice: '*', tool: undefined }, 'tool_unknown'],
    ['a disabled server', { serverEnabled: false }, 'server_disabled'],
    ['a server that the profile lacks', { choice: undefined }, 'server_not_selected'],
    ['a kill', { kills: [{ scope: 'all', target: '' }] }, 'kill_active'],
    [
      'a kill before anything else',
      { kills: [{ scope: 'server', target: 'github' }], choice: undefined, serverEnabled: false },
      'kill_active',
    ],
  ] satisfies [string, Partial<CallFacts>, string][])('%s: %s', (_, changes, code) => {
    expect(codeOf(changes)).toBe(code);
  });

  it('explains a refusal and says what would allow it', () => {
    expect(decideCall(request, facts({ choice: [] }))).toEqual({
      allow: false,
      code: 'tool_not_selected',
      message: 'Profile default does not select the tool get_issue of github.',
      hint: 'Select it with: sallyport profile set default --server github:get_issue',
    });
    expect(decideCall(request, facts({ choice: null }))).toMatchObject({
      message: 'The tool get_issue of github does not say that it only reads, and nothing selects it.',
      hint: 'Select it, with every other tool that is to be shown: sallyport profile set default --server github:get_issue',
    });
    expect(decideCall(request, facts({ choice: null, defaultTools: ['a', 'b'] }))).toMatchObject({
      message: 'The tool get_issue is not among the default tools of github.',
      hint: 'Select it with: sallyport profile set default --server github:a,b,get_issue',
    });
    expect(decideCall(request, facts({ choice: undefined }))).toMatchObject({
      hint: 'Add it with: sallyport profile set default --server github',
    });
  });
});

describe('visibleTools', () => {
  const tools = [{ name: 'a' }, { name: 'b', annotations: { readOnlyHint: true } }, { name: 'c', extra: 1 }];
  const names = (choice: CallFacts['choice'], defaultTools?: string[], serverEnabled = true): string[] =>
    visibleTools(tools, { choice, defaultTools, serverEnabled }).map((tool) => tool.name);

  it('shows what may be called, in the server order', () => {
    expect(names('*')).toEqual(['a', 'b', 'c']);
    expect(names(['c', 'a', 'zzz'])).toEqual(['a', 'c']);
    expect(names([])).toEqual([]);
    expect(names(null)).toEqual(['b']);
    expect(names(null, ['a'])).toEqual(['a']);
    expect(names(undefined)).toEqual([]);
    expect(names('*', undefined, false)).toEqual([]);
  });

  it('shows exactly the tools that decideCall allows', () => {
    for (const choice of ['*', ['a'], [], null, undefined] as const) {
      for (const defaultTools of [undefined, ['c'], []]) {
        for (const serverEnabled of [true, false]) {
          const shown = visibleTools(tools, { choice, defaultTools, serverEnabled });
          for (const tool of tools) {
            const decision = decideCall(
              { ...request, tool: tool.name },
              facts({ choice, defaultTools, serverEnabled, tool }),
            );
            expect(decision.allow).toBe(shown.includes(tool));
          }
        }
      }
    }
  });
});

describe('kills', () => {
  const subject = { workspace: 'ws_1', server: 'github', token: 'tok_1', user: 'usr_1' };
  it.each([
    [{ scope: 'all', target: '' }, true],
    [{ scope: 'workspace', target: 'ws_1' }, true],
    [{ scope: 'workspace', target: 'ws_2' }, false],
    [{ scope: 'server', target: 'github' }, true],
    [{ scope: 'server', target: 'gitlab' }, false],
    [{ scope: 'token', target: 'tok_1' }, true],
    [{ scope: 'token', target: 'usr_1' }, false],
    [{ scope: 'user', target: 'usr_1' }, true],
    [{ scope: 'user', target: 'tok_1' }, false],
  ] satisfies [Kill, boolean][])('%j covers the subject: %s', (kill, covered) => {
    expect(findKill([kill], subject)).toBe(covered ? kill : null);
    if (kill.scope !== 'all' && kill.scope !== 'workspace')
      expect(findKill([kill], { workspace: 'ws_1' })).toBeNull();
  });

  it.each([
    [{ scope: 'all', workspace: null, target: '' }, true],
    [{ scope: 'workspace', workspace: 'ws_1', target: '' }, true],
    [{ scope: 'workspace', workspace: 'ws_2', target: '' }, false],
    [{ scope: 'workspace', workspace: null, target: '' }, false],
    [{ scope: 'server', workspace: 'ws_1', target: 'github' }, true],
    [{ scope: 'server', workspace: 'ws_2', target: 'github' }, false],
    [{ scope: 'server', workspace: null, target: 'github' }, false],
    [{ scope: 'token', workspace: 'ws_2', target: 'tok_1' }, false],
    [{ scope: 'user', workspace: 'ws_2', target: 'usr_1' }, false],
    [{ scope: 'user', workspace: 'ws_1', target: 'usr_2' }, true],
  ] satisfies [Kill, boolean][])('%j, of a workspace of its own, covers the subject: %s', (kill, covered) => {
    expect(findKill([kill], { ...subject, owner: 'usr_2' })).toBe(covered ? kill : null);
  });

  it('stops the workspace for a scope that this version does not know', () => {
    const kill = { scope: 'planet' as Kill['scope'], workspace: 'ws_1', target: '' };
    expect(findKill([kill], subject)).toBe(kill);
    expect(findKill([kill], { ...subject, workspace: 'ws_2' })).toBeNull();
  });

  it('concerns nothing that a subject does not have', () => {
    const nothing = { workspace: 'ws_1', server: null, token: null, user: null, owner: null };
    for (const scope of ['server', 'token', 'user'] as const) {
      expect(findKill([{ scope, workspace: 'ws_1', target: '' }], nothing)).toBeNull();
    }
  });

  it('says what is killed, why, and how to lift it', () => {
    expect(decideKill([{ scope: 'server', target: 'github', reason: 'incident 7' }], subject)).toEqual({
      allow: false,
      code: 'kill_active',
      message: 'The kill switch is set for server github: incident 7.',
      hint: 'An owner can lift it with: sallyport resume --server github',
    });
    expect(decideKill([{ scope: 'all', target: '', reason: null }], subject)).toMatchObject({
      message: 'The kill switch is set for everything.',
      hint: 'An owner can lift it with: sallyport resume --all',
    });
    expect(decideKill([], subject)).toEqual({ allow: true });
  });
});
