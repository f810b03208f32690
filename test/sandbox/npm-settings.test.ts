import { describe, expect, it } from 'vitest';
import { npmSettings, reachableName, registryAddress } from '../../src/sandbox/index.ts';

const settings = (
  files: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  registry?: string,
) => npmSettings({ files, environment, ...(registry === undefined ? {} : { registry }) });

describe("where npm's packages come from", () => {
  it('is the public registry, where nothing says otherwise', () => {
    expect(settings([])).toEqual({
      registry: {
        url: 'https://registry.npmjs.org/',
        host: { host: 'registry.npmjs.org', port: 443, protocol: 'https' },
      },
      scopes: {},
      logins: [],
      handedOn: {},
      hosts: [],
    });
  });

  it('is said by the operator, the environment, the user, the machine, in this order', () => {
    const files = ['registry=https://user.example/npm', 'registry = https://machine.example/'];
    const environment = { npm_config_registry: 'https://variable.example' };
    expect(settings(files.slice(1)).registry.url).toBe('https://machine.example/');
    expect(settings(files).registry.url).toBe('https://user.example/npm/');
    expect(settings(files, environment).registry.url).toBe('https://variable.example/');
    expect(settings(files, { NPM_CONFIG_REGISTRY: 'http://v.example:4873' }).registry).toEqual({
      url: 'http://v.example:4873/',
      host: { host: 'v.example', port: 4873, protocol: 'http' },
    });
    expect(settings(files, environment, 'https://operator.example/').registry.url).toBe(
      'https://operator.example/',
    );
    expect(settings(files, { npm_config_registry: '' }).registry.url).toBe('https://user.example/npm/');
  });

  it('is another registry for a scope', () => {
    expect(settings(['@acme:registry=https://npm.acme.example/']).scopes).toEqual({
      '@acme': {
        url: 'https://npm.acme.example/',
        host: { host: 'npm.acme.example', port: 443, protocol: 'https' },
      },
    });
  });

  it('is read as npm reads its files', () => {
    const file = [
      '; a comment',
      '# another = one',
      '[section]',
      '',
      ' "registry" = "https://${HOST_OF_IT}/" ',
      'fetch-retries=5',
      'fetch-timeout=soon',
      'ignore-scripts=false',
      'script-shell=/tmp/evil',
      'node-options=--require /tmp/evil',
    ].join('\r\n');
    expect(settings([file], { HOST_OF_IT: 'npm.example', npm_config_maxsockets: '4' })).toMatchObject({
      registry: { url: 'https://npm.example/' },
      // Numbers alone are handed on: nothing that could lead npm elsewhere.
      handedOn: { 'fetch-retries': '5', maxsockets: '4' },
    });
  });

  it.each([
    'npm.example',
    'ftp://npm.example/',
    'https://user:password@npm.example/',
    'https://npm.example/?x=1',
    'https://npm.example/#x',
    'https://${UNSET}/',
    'file:///etc',
  ])('is not %o', (registry) => {
    expect(() => settings([`registry=${registry}`])).toThrow(
      expect.objectContaining({ code: 'package_registry_invalid', kind: 'invalid' }),
    );
  });
});

describe('logins', () => {
  const shown = (file: string, environment: Readonly<Record<string, string>> = {}) =>
    settings([`registry=https://npm.example:8443/team/\n${file}`], environment).logins.map(
      ({ value, ...login }) => ({
        ...login,
        value: value.reveal(),
      }),
    );
  const place = { place: '//npm.example:8443/team/', host: 'npm.example', port: 8443, path: '/team/' };

  it.each([
    ['//npm.example:8443/team/:_authToken=abc', { scheme: 'Bearer', value: 'abc' }],
    ['//npm.example:8443/team/:_authToken=${TOKEN}', { scheme: 'Bearer', value: 'from a variable' }],
    ['//npm.example:8443/team/:_auth=dTpw', { scheme: 'Basic', value: 'dTpw' }],
    [
      '//npm.example:8443/team/:username=u\n//npm.example:8443/team/:_password=cA==',
      { scheme: 'Basic', value: 'dTpw' },
    ],
  ])('%s', (file, expected) => {
    expect(shown(file, { TOKEN: 'from a variable' })).toEqual([
      { variable: 'SALLYPORT_REGISTRY_LOGIN_0', ...place, ...expected },
    ]);
  });

  it('hold for what is below their place', () => {
    expect(shown('//npm.example:8443/:_authToken=abc')).toMatchObject([
      { place: '//npm.example:8443/', path: '/' },
    ]);
  });

  it('of other hosts, other ports and other paths are left out, and so is half of one', () => {
    expect(shown('//other.example/:_authToken=abc')).toEqual([]);
    expect(shown('//npm.example/:_authToken=abc')).toEqual([]);
    expect(shown('//npm.example:8443/team/:_password=cA==')).toEqual([]);
  });

  it('are never printed by accident', () => {
    const { logins } = settings(['//registry.npmjs.org/:_authToken=npm_real']);
    expect(JSON.stringify(logins)).not.toContain('npm_real');
  });
});

describe('a registry that is configured by its address', () => {
  it('has a name in the cell, and is dialled where it is', () => {
    expect(registryAddress('http://127.0.0.1:4873/npm')).toEqual({
      ok: true,
      value: {
        url: 'http://ip4-127-0-0-1-x.sallyport.internal:4873/npm/',
        host: {
          host: 'ip4-127-0-0-1-x.sallyport.internal',
          dial: '127.0.0.1:4873',
          port: 4873,
          protocol: 'http',
        },
      },
    });
    expect(registryAddress('https://[fd00::1]/')).toMatchObject({
      ok: true,
      value: {
        url: 'https://ip6-fd00--1-x.sallyport.internal/',
        host: { dial: '[fd00::1]:443', port: 443 },
      },
    });
    expect(reachableName('::', 1).host).toBe('ip6----x.sallyport.internal');
  });

  it('is no other for another spelling of a name', () => {
    expect(registryAddress('https://NPM.Example')).toMatchObject({
      ok: true,
      value: { url: 'https://npm.example/' },
    });
  });
});
