/** Resources with characters that nobody can see: the operator's log says so, and the list is what it was. */
import { describe, expect, it } from 'vitest';
import type { Log } from '../../../src/kernel/index.ts';
import { ResourceReport } from '../../../src/mcp/pinning/resource-report.ts';
import { principal, startHarness } from '../harness.ts';
import { InProcessServer } from '../in-process.ts';

type Line = readonly [event: string, fields: unknown];
function logging(): { readonly lines: Line[]; readonly log: Log } {
  const lines: Line[] = [];
  const quiet = (): void => undefined;
  const warn = (event: string, fields?: object): void => void lines.push([event, fields]);
  return { lines, log: { debug: quiet, info: quiet, warn, error: quiet } };
}
const TAGGED = `notes${String.fromCodePoint(0xe0041, 0xe0042)}`;
const entry = (uri: string, more: object = {}): string => JSON.stringify({ uri, name: 'n', ...more });

describe('the report of resources', () => {
  it.each<readonly [string, string, readonly string[]]>([
    ['a description', entry('x://1', { description: TAGGED }), ['invisible']],
    ['a name', entry('x://1', { name: 'a\u202eb' }), ['direction']],
    ['a title that is escaped', '{"uri":"x://1","title":"a\\u200bb"}', ['invisible']],
    ['something deep', entry('x://1', { _meta: { a: [{ b: '\u0007' }] } }), ['control']],
  ])('tells of %s', (_what, text, characters) => {
    const { lines, log } = logging();
    new ResourceReport('far', log).look('uri', [text]);
    expect(lines).toEqual([['mcp.resource.deceptive', { server: 'far', uri: 'x://1', characters }]]);
  });

  it.each([
    entry('x://1', { description: 'plain' }),
    entry('x://überblick', { description: '概要 👩‍👩‍👧 نص' }),
    '{"uri":"x://1","name":"\\u00e4"}',
  ])('tells nothing of %s', (text) => {
    const { lines, log } = logging();
    new ResourceReport('far', log).look('uri', [text]);
    expect(lines).toEqual([]);
  });

  it('tells each once, in characters that can be seen, and of no more than 20', () => {
    const { lines, log } = logging();
    const report = new ResourceReport('far', log);
    const hidden = entry(`x://${TAGGED}`);
    for (let times = 0; times < 3; times += 1) report.look('uri', [hidden]);
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toMatch(/\p{Cf}/u);
    report.look(
      'uri',
      Array.from({ length: 100 }, (_none, index) => entry(`x://${index}`, { name: TAGGED })),
    );
    expect(lines).toHaveLength(20);
  });

  it('gives up what is too deep or too long to be read', () => {
    const { lines, log } = logging();
    const deep = `{"uri":"x://1","name":"${TAGGED}","a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const long = entry('x://2', { name: TAGGED, description: 'x'.repeat(300_000) });
    new ResourceReport('far', log).look('uri', [deep, long, entry('x://3', { name: TAGGED })]);
    expect(lines).toMatchObject([['mcp.resource.deceptive', { uri: 'x://3' }]]);
  });

  it.each([undefined, 'far'])(
    'is made of what clients list, which they get as it is (server: %s)',
    async (server) => {
      const { lines, log } = logging();
      const far = new InProcessServer((method) =>
        method === 'resources/list'
          ? { resources: [{ uri: 'x://1', name: TAGGED }] }
          : { resourceTemplates: [{ uriTemplate: 't://{a}', name: TAGGED }] },
      );
      const harness = await startHarness({ default: { far: far.server } }, { log });
      const client = harness.stdio(principal('tok_1', 'default'), {
        profile: 'default',
        ...(server === undefined ? {} : { server }),
      });
      await client.initialize();
      expect(await client.request(1, 'resources/list')).toMatchObject({
        result: { resources: [{ name: TAGGED }] },
      });
      await client.request(2, 'resources/templates/list');
      expect(lines).toEqual([
        ['mcp.resource.deceptive', { server: 'far', uri: 'x://1', characters: ['invisible'] }],
        ['mcp.resource.deceptive', { server: 'far', uriTemplate: 't://{a}', characters: ['invisible'] }],
      ]);
      await harness.close();
    },
  );
});
