/** Where packages come from on this machine, and how it is reached. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/main/config.ts';
import { installEgress, readNpmSettings } from '../../src/main/packages/registries.ts';
import { createTestAuthority } from '../egress/test-authority.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-registries-'));
const { caPem } = createTestAuthority(['npm.example']);
let home: string;
const load = (variables: Readonly<Record<string, string>> = {}) =>
  loadConfig({ SALLYPORT_HOME: join(home, 'sallyport'), HOME: home, ...variables });

beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'));
  mkdirSync(join(home, 'sallyport'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("npm's settings", () => {
  it('are read from the file of the user, anew each time', () => {
    const config = load();
    writeFileSync(join(home, '.npmrc'), 'registry=https://one.example/\n');
    expect(readNpmSettings(config).registry.url).toBe('https://one.example/');
    writeFileSync(join(home, '.npmrc'), 'registry=https://two.example/\n');
    expect(readNpmSettings(config).registry.url).toBe('https://two.example/');
  });

  it('are read from where npm is told that they are', () => {
    writeFileSync(join(home, 'user'), 'registry=https://user.example/\n');
    writeFileSync(join(home, 'machine'), '@acme:registry=https://acme.example/\n');
    const variables = {
      npm_config_userconfig: join(home, 'user'),
      NPM_CONFIG_GLOBALCONFIG: join(home, 'machine'),
    };
    expect(readNpmSettings(load(variables))).toMatchObject({
      registry: { url: 'https://user.example/' },
      scopes: { '@acme': { url: 'https://acme.example/' } },
    });
  });

  it('yield to the operator, who may name further hosts', () => {
    writeFileSync(join(home, '.npmrc'), 'registry=https://user.example/\n');
    const variables = {
      SALLYPORT_PACKAGES_NPM_REGISTRY: 'https://operator.example/',
      SALLYPORT_PACKAGES_HOSTS: 'cdn.example, files.example:8443, 10.0.0.7',
    };
    expect(readNpmSettings(load(variables))).toMatchObject({
      registry: { url: 'https://operator.example/' },
      hosts: [
        { host: 'cdn.example', port: 443, protocol: 'https' },
        { host: 'files.example', port: 8443, protocol: 'https' },
        { host: 'ip4-10-0-0-7-x.sallyport.internal', dial: '10.0.0.7:443', port: 443, protocol: 'https' },
      ],
    });
  });
});

describe('the way to registries', () => {
  it('is that of servers, where nothing else is said', () => {
    const variables = { SALLYPORT_EGRESS_RESOLVE: 'npm.example:443=127.0.0.1:1' };
    const config = load(variables);
    expect(installEgress(config)).toEqual({ ...config.egress, extraCa: [], proxy: null });
  });

  it("trusts the operator's authorities, the environment's and npm's", () => {
    for (const name of ['extra.pem', 'node.pem', 'npm.pem']) writeFileSync(join(home, name), caPem);
    writeFileSync(join(home, 'none.pem'), 'no certificate');
    const of = (variables: Readonly<Record<string, string>>) => installEgress(load(variables)).extraCa.length;
    expect(of({ SALLYPORT_EGRESS_EXTRA_CA: join(home, 'extra.pem') })).toBe(1);
    expect(
      of({ NODE_EXTRA_CA_CERTS: join(home, 'node.pem'), npm_config_cafile: join(home, 'npm.pem') }),
    ).toBe(2);
    expect(
      of({ NODE_EXTRA_CA_CERTS: join(home, 'none.pem'), npm_config_cafile: join(home, 'nothing') }),
    ).toBe(0);
  });

  it("is the environment's proxy, unless the operator set one", () => {
    const environment = {
      https_proxy: 'http://proxy.example:3128',
      no_proxy: 'localhost,.corp.example, 10.0.0.0/8',
    };
    expect(installEgress(load(environment)).proxy).toEqual({
      host: 'proxy.example',
      port: 3128,
      credentials: null,
      resolves: true,
      except: ['localhost', '*.corp.example'],
    });
    const variables = { ...environment, SALLYPORT_EGRESS_PROXY: 'http://own.example:8080' };
    expect(installEgress(load(variables)).proxy).toMatchObject({
      host: 'own.example',
      port: 8080,
      resolves: false,
    });
    expect(installEgress(load({ HTTPS_PROXY: '' })).proxy).toBeNull();
  });

  it('is none where the proxy of the environment cannot be used, and its password is not repeated', () => {
    const config = load({ HTTPS_PROXY: 'socks5://user:hunter2@proxy.example:1080' });
    expect(() => installEgress(config)).toThrow(
      expect.objectContaining({ code: 'package_proxy_invalid', kind: 'invalid' }),
    );
    expect(() => installEgress(config)).not.toThrow(/hunter2/);
  });
});
