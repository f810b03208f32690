/** The page about settings is true: what it shows loads, and it leaves no setting out. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/main/config.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const shown = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';

function load(settings: unknown): ReturnType<typeof loadConfig> {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-page-'));
  try {
    writeFileSync(join(home, 'sallyport.yaml'), stringify(settings));
    return loadConfig({ SALLYPORT_HOME: home });
  } finally {
    rmSync(home, { recursive: true });
  }
}

it('what docs/configuration.md shows loads, but for the files that it names', () => {
  const settings = parse(shown) as { egress: Record<string, unknown> };
  const { extraCa: _ca, crl: _crl, ...egress } = settings.egress;
  const config = load({ ...settings, egress });
  expect(config.proxyListen).toEqual({ host: '127.0.0.1', port: 7801 });
  expect(config.egress.proxy).toMatchObject({ host: 'proxy.company.example', port: 3128 });
  expect(config.idleSeconds).toBe(load({}).idleSeconds); // shown as what it is by default
  expect(config.stopSeconds).toBe(load({}).stopSeconds);
  expect(config.isolation).toBe('cell');
  expect(() => load({ ...settings, colour: 'blue' })).toThrow(/colour/);
});

it('docs/configuration.md names every setting', () => {
  const source = readFileSync(new URL('../../src/main/config.ts', import.meta.url), 'utf8');
  const schema = /const FileSettings = [\s\S]*?\n\}\);/.exec(source)?.[0] ?? '';
  const names = Array.from(
    schema.matchAll(
      /^\s+(\w+): (?:z|hostPort|redirections|proxyUrl|publicOrigin|loopbackPort|registryUrl)/gm,
    ),
    ([, name]) => name,
  );
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(shown).toContain(`${name}:`);
});
