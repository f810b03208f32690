import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { DefinitionCatalog, type ListedDefinition } from '../../src/mcp/upstream/tool-catalog.ts';

class Listed implements ListedDefinition {
  readonly hash = '';
  readonly name: string;
  readonly text: string;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }
}

const named = (from: number, count: number, more = ''): string[] =>
  Array.from({ length: count }, (_, at) => `{"name":"t${from + at}"${more}}`);

async function catalog() {
  let asked = 0;
  const tools = new DefinitionCatalog<ListedDefinition>(async () => {
    asked += 1;
    return named(0, 3);
  }, Listed);
  await tools.find('t0');
  return { tools, asked: () => asked };
}

describe('what is known of what a server lists', () => {
  it('is what it said last, to whomever', async () => {
    const { tools, asked } = await catalog();
    tools.noted(named(3, 2));
    expect([(await tools.find('t1'))?.text, (await tools.find('t4'))?.text]).toEqual([
      '{"name":"t1"}',
      '{"name":"t4"}',
    ]);
    expect(asked()).toBe(1);
  });

  it('does not grow by what it says to everybody else, each time something new', async () => {
    const { tools, asked } = await catalog();
    for (let page = 0; page < 11; page += 1) tools.noted(named(1_000 * page, 1_000));
    expect(11_000).toBeGreaterThan(limits.mcpListItemsMax);
    // It is asked again: what it said first is not kept.
    expect((await tools.find('t1'))?.text).toBe('{"name":"t1"}');
    expect(await tools.find('t5000')).toBeNull();
    expect(asked()).toBe(3);
  });

  it('nor by how much that is', async () => {
    const { tools, asked } = await catalog();
    const long = `,"description":"${'x'.repeat(limits.mcpListCharsMax / 8)}"`;
    for (let page = 0; page < 9; page += 1) tools.noted(named(10 * page, 1, long));
    expect(await tools.find('t10')).toBeNull();
    expect(asked()).toBe(2);
  });

  it('is read once for each text, also before anybody asked for one by name', () => {
    let read = 0;
    class Counted extends Listed {
      constructor(name: string, text: string) {
        super(name, text);
        read += 1;
      }
    }
    const tools = new DefinitionCatalog<ListedDefinition>(async () => [], Counted);
    const [first] = tools.noted(named(0, 100));
    expect(tools.noted(named(0, 100))[0]).toBe(first);
    expect(read).toBe(100);
    tools.invalidate();
    expect(tools.noted(named(0, 100, ',"description":"other"'))[0]?.text).toContain('other');
    expect(read).toBe(200);
  });
});
