/** What MCP clients start at every launch: quick, on any Node, and silent but for protocol. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plainOptions } from '../../src/main/stdio-join.ts';

const root = resolve(import.meta.dirname, '../..');

describe('the command line of an MCP client', () => {
  it.each([
    [[], { profile: 'default' }],
    [['--profile', 'work'], { profile: 'work' }],
    [['--server=github'], { profile: 'default', server: 'github' }],
    [['--server', 'github', '--profile=work'], { profile: 'work', server: 'github' }],
  ])('is understood at once: %j', (words, options) => {
    expect(plainOptions(words)).toEqual(options);
  });

  it.each([
    [['--help']],
    [['--json']],
    [['--profile']],
    [['--profile=']],
    [['--profile', '--server']],
    [['--profile', 'a', '--profile', 'b']],
    [['--profil', 'a']],
    [['--', '--profile', 'a']],
    [['work']],
  ])('is left to the whole program: %j', (words) => {
    expect(plainOptions(words)).toBeNull();
  });
});

describe('the way to a running gateway', () => {
  it('loads nothing but what Node has', () => {
    const seen = new Set<string>();
    const imports = (file: string): string[] => {
      if (seen.has(file)) return [];
      seen.add(file);
      const found = [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)(?! type).*from '([^']+)'/gm)];
      return found.flatMap(([, name = '']) =>
        name.startsWith('.') ? imports(resolve(file, '..', name)) : [name],
      );
    };
    const names = imports(resolve(root, 'src/main/stdio-join.ts'));
    expect(names).toContain('node:http');
    expect(names.filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  const old = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path));
  it.skipIf(old === undefined)('is understood by the Node of the machine, whatever its age', () => {
    const script =
      "import('./dist/main/stdio-join.js').then(async ({ joinFromCommandLine }) => console.log(await joinFromCommandLine([], { SALLYPORT_HOME: '/nowhere' })))";
    const { stdout } = spawnSync(old ?? '', ['-e', script], { cwd: root, encoding: 'utf8' });
    expect(stdout).toBe('null\n');
  });
});
