import { describe, expect, it } from 'vitest';
import { manifestHash, parseManifest, writeManifest } from '../../src/manifest/index.ts';
import { replaced, VERSION_2 } from './documents.ts';

const TOOLS = 'tools: { default: [search_repositories, get_file_contents] }\n';
const read = (tools: string, credential = 'tier: sealed') =>
  parseManifest(replaced(replaced(VERSION_2, TOOLS, tools), 'tier: sealed', credential), { file: 'm' });
const errors = (tools: string, credential?: string) => {
  const { errors: found } = read(tools, credential);
  return found.map(({ code, field }) => [code, field]);
};
const usable = (tools: string, credential?: string) => {
  const { manifest, errors: found } = read(tools, credential);
  if (manifest === undefined) throw new Error(JSON.stringify(found));
  return manifest;
};
const rule = (text: string): string => `tools: { egress: [{ ${text} }] }\n`;

describe('what tools may send', () => {
  it('is read with its defaults, written, and read again', () => {
    const manifest = usable(
      'tools:\n  egress:\n    - { tools: ["search_*", list], hosts: [api.github.com], methods: [GET], paths: [/search], enforce: true }\n    - { tools: ["*"], enforce: false }\n  readOnly: enforce\n',
      'tier: sealed\n    use: during-calls',
    );
    expect(manifest.tools).toEqual({
      egress: [
        {
          tools: ['search_*', 'list'],
          hosts: ['api.github.com'],
          methods: ['GET'],
          paths: ['/search'],
          enforce: true,
        },
        { tools: ['*'], enforce: false },
      ],
      readOnly: 'enforce',
    });
    expect(manifest.credentials[0]?.use).toBe('during-calls');
    const text = writeManifest(manifest);
    expect(text).toContain('use: during-calls');
    expect(text).toContain('readOnly: enforce');
    expect(parseManifest(text, { file: 'm' }).manifest).toEqual(manifest);
  });

  it('has the same hash with and without what is so anyway', () => {
    const short = usable(rule('tools: [a], methods: [GET]'));
    const long = usable(
      'tools: { readOnly: report, egress: [{ tools: [a], methods: [GET], enforce: true }] }\n',
      'tier: sealed\n    use: always',
    );
    expect(manifestHash(long)).toBe(manifestHash(short));
    expect(manifestHash(usable(rule('tools: [a], methods: [GET], enforce: false')))).not.toBe(
      manifestHash(short),
    );
    const none = usable('');
    expect(manifestHash(usable('tools: { readOnly: report }\n'))).toBe(manifestHash(none));
    const hashes = [
      usable('tools: { readOnly: enforce }\n'),
      usable('tools: { readOnly: off }\n'),
      usable('', 'tier: sealed\n    use: during-calls'),
      none,
    ].map(manifestHash);
    expect(new Set(hashes).size).toBe(4);
  });

  it.each([
    ['tools: { readOnly: maybe }\n', 'manifest_unknown_choice', 'tools.readOnly'],
    ['tools: { egress: [] }\n', 'manifest_list_empty', 'tools.egress'],
    ['tools: { egress: {} }\n', 'manifest_wrong_type', 'tools.egress'],
    [rule('methods: [GET]'), 'manifest_missing_key', 'tools.egress[0].tools'],
    [rule('tools: []'), 'manifest_list_empty', 'tools.egress[0].tools'],
    [rule('tools: [a, a]'), 'manifest_repeated', 'tools.egress[0].tools[1]'],
    [rule('tools: ["a*b"]'), 'manifest_tool_pattern', 'tools.egress[0].tools[0]'],
    [rule('tools: ["**"]'), 'manifest_tool_pattern', 'tools.egress[0].tools[0]'],
    [rule('tools: ["a b"]'), 'manifest_tool_pattern', 'tools.egress[0].tools[0]'],
    [rule('tools: [a], host: api.github.com'), 'manifest_unknown_key', 'tools.egress[0].host'],
    [rule('tools: [a], hosts: [github.com]'), 'manifest_tool_rule_unreachable', 'tools.egress[0].hosts[0]'],
    [rule('tools: [a], hosts: ["*.com"]'), 'manifest_host_wildcard', 'tools.egress[0].hosts[0]'],
    [rule('tools: [a], methods: [OPTIONS]'), 'manifest_tool_rule_unreachable', 'tools.egress[0].methods[0]'],
    [rule('tools: [a], methods: [get]'), 'manifest_unknown_choice', 'tools.egress[0].methods[0]'],
    [rule('tools: [a], paths: [search]'), 'manifest_path_invalid', 'tools.egress[0].paths[0]'],
    [rule('tools: [a], enforce: "yes"'), 'manifest_wrong_type', 'tools.egress[0].enforce'],
  ])('%s is refused', (tools, code, field) => {
    expect(errors(tools)).toContainEqual([code, field]);
  });

  it('may name a wildcard that is wider or narrower than what egress allows', () => {
    expect(errors(rule('tools: [a], hosts: ["*.github.com"]'))).toEqual([]);
  });

  it('says nothing of reach where egress could not be read', () => {
    const text = replaced(
      replaced(VERSION_2, TOOLS, rule('tools: [a], hosts: [x.example.com]')),
      'port: 443',
      'port: x',
    );
    const codes = parseManifest(text, { file: 'm' }).errors.map(({ code }) => code);
    expect(codes).not.toContain('manifest_tool_rule_unreachable');
  });

  it('warns of a key that may be used when no tool runs', () => {
    const warned = (tools: string, credential?: string) =>
      read(tools, credential).warnings.map(({ code }) => code);
    const calls = 'tier: sealed\n    use: during-calls';
    expect(warned('tools: { readOnly: enforce }\n')).toEqual(['manifest_tools_around']);
    expect(warned(rule('tools: [a], methods: [GET]'))).toEqual(['manifest_tools_around']);
    expect(warned('tools: { readOnly: enforce }\n', calls)).toEqual([]);
    expect(warned(rule('tools: [a], methods: [GET], enforce: false'))).toEqual([]);
    expect(warned('')).toEqual([]);
  });
});

describe('when a credential may be used', () => {
  it.each([
    ['tier: sealed\n    use: sometimes', 'manifest_unknown_choice'],
    ['tier: sealed\n    use: true', 'manifest_wrong_type'],
    ['tier: entrusted\n    use: during-calls', 'manifest_entrusted_with_use'],
  ])('%s is refused', (credential, code) => {
    expect(errors('', credential)).toContainEqual([code, 'credentials[0].use']);
  });
});
