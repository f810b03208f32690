import { describe, expect, it } from 'vitest';
import { formatPackageSpec, parsePackageSpec } from '../../src/manifest/index.ts';

describe('a package reference', () => {
  it.each([
    ['npm:tavily-mcp@0.2.22', { registry: 'npm', name: 'tavily-mcp', version: '0.2.22' }],
    [
      'npm:@scope/name@1.0.0-beta.1+build.5',
      { registry: 'npm', name: '@scope/name', version: '1.0.0-beta.1+build.5' },
    ],
    ['npm:@scope/name', { registry: 'npm', name: '@scope/name' }],
    ['npm:name', { registry: 'npm', name: 'name' }],
    ['pypi:mcp-server-fetch==2025.4.7', { registry: 'pypi', name: 'mcp-server-fetch', version: '2025.4.7' }],
    [
      'pypi:Name.x_y==1!2.0rc1.post2.dev3',
      { registry: 'pypi', name: 'Name.x_y', version: '1!2.0rc1.post2.dev3' },
    ],
    ['pypi:name', { registry: 'pypi', name: 'name' }],
  ])('%s is read and written', (text, value) => {
    const parsed = parsePackageSpec(text);
    expect(parsed).toEqual({ ok: true, value });
    expect(parsed.ok && formatPackageSpec(parsed.value)).toBe(text);
  });

  it.each([
    ['tavily-mcp', 'manifest_package_invalid'],
    ['npm:', 'manifest_package_invalid'],
    ['npm:@scope', 'manifest_package_invalid'],
    ['npm:.hidden@1.0.0', 'manifest_package_invalid'],
    ['npm:Upper@1.0.0', 'manifest_package_invalid'],
    ['npm:a/b@1.0.0', 'manifest_package_invalid'],
    ['npm:a b@1.0.0', 'manifest_package_invalid'],
    ['npm:--flag', 'manifest_package_invalid'],
    ['npm:@--flag/x', 'manifest_package_invalid'],
    ['npm:../x@1.0.0', 'manifest_package_invalid'],
    ['npm:https://example.com/x.tgz', 'manifest_package_invalid'],
    [`npm:${'a'.repeat(215)}`, 'manifest_package_invalid'],
    ['npm:a@', 'manifest_package_version'],
    ['npm:a@1', 'manifest_package_version'],
    ['npm:a@1.0', 'manifest_package_version'],
    ['npm:a@01.0.0', 'manifest_package_version'],
    ['npm:a@^1.0.0', 'manifest_package_version'],
    ['npm:a@latest', 'manifest_package_version'],
    ['npm:a@npm:b@1.0.0', 'manifest_package_version'],
    ['pypi:-x', 'manifest_package_invalid'],
    ['pypi:a[extra]==1.0', 'manifest_package_invalid'],
    ['pypi:a>=1.0', 'manifest_package_invalid'],
    ['pypi:a==1.*', 'manifest_package_version'],
    ['pypi:a==1.0==2.0', 'manifest_package_version'],
  ])('%s is refused as %s', (text, code) => {
    const parsed = parsePackageSpec(text);
    expect(parsed.ok ? undefined : parsed.error.code).toBe(code);
  });
});
