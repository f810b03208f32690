import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lintFiles, loadCatalog } from '../../src/manifest/index.ts';
import { replaced, VERSION_2 } from './documents.ts';

const SHIPPED = join(import.meta.dirname, '../../catalog');

describe('the catalog that is shipped', () => {
  it('has no mistake and no warning in any file', async () => {
    const files = (await readdir(SHIPPED)).map((file) => join(SHIPPED, file));
    expect(files.length).toBeGreaterThanOrEqual(15);
    for (const result of await lintFiles(files)) {
      expect(result).toEqual({
        file: result.file,
        ok: true,
        errors: [],
        warnings: [],
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    }
  });

  it('names every file after its server, pins its package, and says what the server is', async () => {
    const { entries } = await loadCatalog(SHIPPED);
    for (const { manifest, file } of entries) {
      expect(basename(file)).toBe(`${manifest.name}.yaml`);
      expect(manifest.title).toBeDefined();
      expect(manifest.description).toBeDefined();
      if (manifest.server.kind === 'sandboxed') expect(manifest.server.package).toMatch(/^npm:|^pypi:/);
    }
  });

  it('finds the servers that people look for', async () => {
    const catalog = await loadCatalog(SHIPPED);
    expect(catalog.search(['GitHub'])[0]?.manifest.name).toBe('github');
    expect(catalog.search(['api.tavily.com']).map((entry) => entry.manifest.name)).toEqual(['tavily']);
    expect(catalog.show('stripe')?.manifest.credentials.length).toBeGreaterThan(0);
  });
});

describe('a catalog', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-catalog-'));
    await writeFile(join(folder, 'github.yaml'), VERSION_2);
    await writeFile(
      join(folder, 'mirror.yaml'),
      replaced(
        replaced(VERSION_2, 'name: github', 'name: mirror'),
        'title: GitHub',
        'title: Mirror of GitHub',
      ),
    );
    await writeFile(join(folder, 'notes.txt'), 'not a manifest');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('ranks a name over a mention, wants every word, and shows all for none', async () => {
    const catalog = await loadCatalog(folder);
    const names = (words: readonly string[]) => catalog.search(words).map((entry) => entry.manifest.name);
    expect(names(['github'])).toEqual(['github', 'mirror']);
    expect(names(['GITHUB', 'mirror'])).toEqual(['mirror']);
    expect(names(['github', 'nothing'])).toEqual([]);
    expect(names([])).toEqual(['github', 'mirror']);
    expect(catalog.show('mirror')?.manifest.title).toBe('Mirror of GitHub');
    expect(catalog.show('Mirror')).toBeUndefined();
  });

  it('is refused as a whole when a file has a mistake', async () => {
    const broken = await mkdtemp(join(tmpdir(), 'sallyport-catalog-'));
    await writeFile(join(broken, 'other.yaml'), VERSION_2);
    await expect(loadCatalog(broken)).rejects.toMatchObject({ code: 'catalog_invalid', kind: 'failed' });
    await rm(broken, { recursive: true });
    await expect(loadCatalog(broken)).rejects.toMatchObject({ code: 'catalog_unreadable', kind: 'failed' });
  });
});
