import { describe, expect, it } from 'vitest';
import { packageOf, type ServerRow } from '../../src/api/index.ts';
import type { Json } from '../../src/kernel/index.ts';
import { installed } from './world.ts';

const row = (kept: unknown): ServerRow => ({
  id: 'srv_1' as ServerRow['id'], // any id will do
  slug: 'tool',
  manifest: {},
  manifestHash: '',
  source: 'npm:tool',
  package: kept as Json, // made of literals
  enabled: true,
  createdAt: 1,
  updatedAt: 1,
});

describe('the package of a stored server', () => {
  it('is what was stored', () => {
    expect(packageOf(row(installed({ python: '3.11', kind: 'pypi' })))).toEqual(
      installed({ python: '3.11', kind: 'pypi' }),
    );
  });

  it('has every field where an earlier version stored fewer', () => {
    const { spec, name, version, integrity, bins } = installed();
    expect(packageOf(row({ spec, name, version, integrity, bins, scriptsSkipped: ['a@1.0.0'] }))).toEqual({
      kind: 'npm',
      spec,
      name,
      version,
      integrity,
      bins,
      parts: [],
      scriptsSkipped: ['a@1.0.0'],
      scriptsRun: [],
      lockfile: '',
    });
  });

  it('is none where there is none', () => {
    expect(packageOf(row(null))).toBeNull();
  });
});
