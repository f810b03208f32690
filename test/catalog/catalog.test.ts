import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/kernel/index.ts';
import { makePlaceholder, parseManifest, parsePackageSpec } from '../../src/manifest/index.ts';
import { inventKey } from './invent-key.ts';
import { manifestOf } from './manifests.ts';
import { catalogServers } from './servers.ts';

const CATALOG = fileURLToPath(new URL('../../catalog/', import.meta.url));
const files = readdirSync(CATALOG).toSorted();
const ASKED_FOR =
  'airtable brave-search exa figma firecrawl github gitlab hubspot linear notion perplexity resend sentry slack stripe supabase tavily';

describe('the catalog', () => {
  it('has a row in the table for every entry, and has the servers that people ask for first', () => {
    const rows = catalogServers.filter((server) => server.manifest === undefined);
    expect(rows.map((server) => `${server.name}.yaml`).toSorted()).toEqual(files);
    expect(files).toEqual(expect.arrayContaining(ASKED_FOR.split(' ').map((name) => `${name}.yaml`)));
  });

  it.each(files)('%s has no error and no warning, and says what it is', (file) => {
    const text = readFileSync(`${CATALOG}${file}`, 'utf8');
    const { manifest, errors, warnings } = parseManifest(text, { file });
    expect([...errors, ...warnings]).toEqual([]);
    expect(manifest?.name).toBe(file.replace(/\.yaml$/, ''));
    for (const part of [manifest?.title, manifest?.description, manifest?.homepage])
      expect(part).toBeTruthy();
    expect(text).toMatch(/^# Checked in \d+\.\d+\.\d+/);
  });

  it.each(catalogServers.map((server) => [server.name, server] as const))(
    '%s pins its package, and keeps its key sealed, over HTTPS, with a shape that passes for the real one',
    (_name, server) => {
      const manifest = manifestOf(server);
      const pinned = parsePackageSpec(manifest.server.package ?? '');
      expect(pinned.ok && pinned.value.version).toBe(manifest.version);
      const [credential, ...others] = manifest.credentials;
      expect(others).toEqual([]);
      expect(credential).toMatchObject({ name: server.credential, tier: 'sealed', required: true });
      expect(manifest.egress.map((rule) => [rule.protocol, rule.port])).toEqual(
        manifest.egress.map(() => ['https', 443]),
      );
      expect(makePlaceholder(credential?.placeholder ?? '', systemRandom)).toMatch(server.placeholder);
      expect(inventKey(server.keyShape)).toMatch(server.placeholder);
    },
  );
});
