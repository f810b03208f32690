/**
 * The canary for the layer checker: that it sees every source file, and that a planted violation of each kind of rule
 * is reported. Without it, a parser that silently reads nothing would keep the check green.
 */
import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'sallyport-layers-'));

interface Report {
  modules: { source: string }[];
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
}

function cruise(folder: string): Promise<Report> {
  const checker = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  return new Promise((done, fail) => {
    execFile(
      process.execPath,
      [checker, 'src', '--config', '.dependency-cruiser.mjs', '--output-type', 'json'],
      { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        try {
          done(JSON.parse(stdout) as Report);
        } catch {
          fail(error ?? new Error('the checker printed no report'));
        }
      },
    );
  });
}

describe('the layer checker', () => {
  beforeAll(() => {
    cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
    for (const file of ['.dependency-cruiser.mjs', 'package.json'])
      cpSync(join(root, file), join(copy, file));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  it('sees every source file and finds nothing wrong', async () => {
    const report = await cruise(root);
    const seen = new Set(report.modules.map((module) => module.source));
    const files = globSync('src/**/*.ts', { cwd: root });
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => !seen.has(file))).toEqual([]);
    expect(report.summary.violations).toEqual([]);
  });

  it.each([
    [
      'layer-egress',
      'src/egress/planted.ts',
      "import { openStore } from '../store/index.ts';\nexport const planted = openStore;\n",
    ],
    [
      'egress-never-reaches-the-store',
      'src/egress/planted.ts',
      "import { openStore } from '../store/index.ts';\nexport const planted = openStore;\n",
    ],
    [
      'index-only-entry',
      'src/vault/planted.ts',
      "import { Secret } from '../kernel/secret.ts';\nexport const planted = Secret;\n",
    ],
    [
      'builtin-ciphers',
      'src/policy/planted.ts',
      "import { createHash } from 'node:crypto';\nexport const planted = createHash;\n",
    ],
    [
      'builtin-processes',
      'src/egress/planted.ts',
      "import { spawn } from 'node:child_process';\nexport const planted = spawn;\n",
    ],
    ['builtin-sockets', 'src/vault/planted.ts', "import net from 'node:net';\nexport const planted = net;\n"],
    ['no-orphans', 'src/wire/planted.ts', 'export const planted = 1;\n'],
  ])('reports a planted violation of %s', async (rule, file, text) => {
    writeFileSync(join(copy, file), text);
    const report = await cruise(copy);
    rmSync(join(copy, file));
    const found = report.summary.violations
      .filter((violation) => violation.from === file)
      .map((violation) => violation.rule.name);
    expect(found).toContain(rule);
  });
});
