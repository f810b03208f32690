import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestAuthority } from '../egress/test-authority.ts';
import { type Config, type Environment, homeOf, loadConfig, parseListen } from '../../src/main/config.ts';

const PEM = createTestAuthority(['test']).caPem;
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'config-test-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function load(yaml: string | null, env: Environment = {}): Config {
  if (yaml !== null) writeFileSync(join(home, 'sallyport.yaml'), yaml);
  return loadConfig({ SALLYPORT_HOME: home, ...env });
}

describe('the home', () => {
  it('is the one that the environment names, else a folder of the user', () => {
    expect(homeOf({ SALLYPORT_HOME: '/some/where' })).toBe('/some/where');
    expect(homeOf({})).toBe(join(homedir(), '.sallyport'));
    expect(homeOf({ SALLYPORT_HOME: '' })).toBe(join(homedir(), '.sallyport'));
  });
});

describe('settings', () => {
  it('have defaults, without a file and with an empty one', () => {
    const defaults = {
      home,
      listen: { host: '127.0.0.1', port: 7800 },
      allowedHosts: [],
      allowedOrigins: [],
      publicUrl: null,
      authorizationServers: [],
      log: 'info',
      audit: { durability: 'grouped' },
      idleSeconds: 600,
      stopSeconds: 2,
      isolation: 'cell',
      egress: { resolve: {}, extraCa: [], allowNetworks: [] },
      masterKey: null,
    };
    expect(load(null)).toMatchObject(defaults);
    expect(load('# nothing\n')).toMatchObject(defaults);
  });

  it('are read from the file, all of them', () => {
    writeFileSync(join(home, 'ca.pem'), PEM);
    const config = load(
      [
        'listen: "[::1]:8000"',
        'allowedHosts: [ Gate.Example, "fd00::1" ]',
        'allowedOrigins: [ app.example ]',
        'publicUrl: "HTTPS://Gate.Example:443/"',
        'authorizationServers: [ "https://login.example/realms/a" ]',
        'log: debug',
        'audit: { durability: strict }',
        'cells: { idleSeconds: 30, stopSeconds: 5, prepared: 0 }',
        'egress:',
        '  resolve: { "API.github.com:443": "127.0.0.1:9443" }',
        '  extraCa: [ ca.pem ]',
        '  allowNetworks: [ 127.0.0.0/8, "fd00::/8" ]',
      ].join('\n'),
    );
    expect(config).toMatchObject({
      listen: { host: '::1', port: 8000 },
      audit: { durability: 'strict' },
      allowedHosts: ['gate.example', 'fd00::1'],
      allowedOrigins: ['app.example'],
      publicUrl: 'https://gate.example',
      authorizationServers: ['https://login.example/realms/a'],
      log: 'debug',
      idleSeconds: 30,
      stopSeconds: 5,
      preparedCells: 0,
      egress: {
        // As the data plane looks names up.
        resolve: { 'api.github.com:443': '127.0.0.1:9443' },
        extraCa: [PEM],
        allowNetworks: ['127.0.0.0/8', 'fd00::/8'],
      },
    });
  });

  it('are overridden by the environment, each alone', () => {
    const ca = join(home, 'other.pem');
    writeFileSync(ca, PEM);
    const yaml =
      'listen: 127.0.0.1:1\nlog: debug\nallowedHosts: [ a ]\negress: { allowNetworks: [ 10.0.0.0/8 ] }\n';
    expect(load(yaml, { SALLYPORT_LISTEN: '127.0.0.1:2' })).toMatchObject({
      listen: { port: 2 },
      log: 'debug',
    });
    expect(load(yaml, { SALLYPORT_LOG: 'silent' }).log).toBe('silent');
    expect(
      load('approvals: { people: { a: {} } }', { SALLYPORT_APPROVALS_HOLD_SECONDS: '0' }).approvals,
    ).toMatchObject({ holdSeconds: 0, people: { a: {} } });
    expect(load(yaml, { SALLYPORT_AUDIT_DURABILITY: 'strict' }).audit).toEqual({
      durability: 'strict',
      exports: [],
    });
    expect(load(yaml, { SALLYPORT_ALLOWED_HOSTS: 'b, c,' }).allowedHosts).toEqual(['b', 'c']);
    expect(load(yaml, { SALLYPORT_PUBLIC_URL: 'http://gate:8080' }).publicUrl).toBe('http://gate:8080');
    expect(
      load(yaml, { SALLYPORT_AUTHORIZATION_SERVERS: 'https://a, https://b/' }).authorizationServers,
    ).toEqual(['https://a', 'https://b/']);
    expect(load(yaml, { SALLYPORT_ALLOWED_ORIGINS: 'd' }).allowedOrigins).toEqual(['d']);
    expect(load(yaml, { SALLYPORT_CELLS_IDLE_SECONDS: '5' }).idleSeconds).toBe(5);
    expect(load(yaml, { SALLYPORT_CELLS_ISOLATION: 'none-unsafe' }).isolation).toBe('none-unsafe');
    const one = { SALLYPORT_CELLS_STOP_SECONDS: '0' };
    expect(load('cells: { idleSeconds: 30 }', one)).toMatchObject({ idleSeconds: 30, stopSeconds: 0 });
    expect(load(yaml, { SALLYPORT_CELLS_PREPARED: '7' }).preparedCells).toBe(7);
    expect(load(yaml, { SALLYPORT_EGRESS_EXTRA_CA: ca }).egress).toEqual({
      resolve: {},
      extraCa: [PEM],
      allowNetworks: ['10.0.0.0/8'],
      crl: [],
      proxy: null,
    });
    expect(load(yaml, { SALLYPORT_EGRESS_ALLOW_NETWORKS: '192.168.0.0/16' }).egress.allowNetworks).toEqual([
      '192.168.0.0/16',
    ]);
    expect(
      load(yaml, { SALLYPORT_EGRESS_RESOLVE: 'a.test:443=127.0.0.1:1, b.test:80=[::1]:2' }).egress.resolve,
    ).toEqual({ 'a.test:443': '127.0.0.1:1', 'b.test:80': '[::1]:2' });
  });

  it('open the explicit proxy only where they say so, on this machine', () => {
    expect(load(null).proxyListen).toBeNull();
    const yaml = 'proxy: { listen: "localhost:7801" }';
    expect(load(yaml).proxyListen).toEqual({ host: 'localhost', port: 7801 });
    const env = { SALLYPORT_PROXY_LISTEN: '[::1]:1' };
    expect(load(yaml, env).proxyListen).toEqual({ host: '::1', port: 1 });
  });

  it("say where packages of Python's come from and who runs them, or leave it to pip and the system", () => {
    expect(load(null).packages).toMatchObject({ pypiIndex: null, python: null });
    const yaml = 'packages: { pypiIndex: "https://pypi.corp.example/simple/", python: /usr/bin/python3.12 }';
    expect(load(yaml).packages).toMatchObject({
      pypiIndex: 'https://pypi.corp.example/simple/',
      python: '/usr/bin/python3.12',
    });
    const env = {
      SALLYPORT_PACKAGES_PYPI_INDEX: 'http://127.0.0.1:3141/simple/',
      SALLYPORT_PACKAGES_PYTHON: '/usr/bin/python3.13',
    };
    expect(load(yaml, env).packages).toMatchObject({
      pypiIndex: 'http://127.0.0.1:3141/simple/',
      python: '/usr/bin/python3.13',
    });
  });

  it('say where packages come from, or leave it to npm', () => {
    expect(load(null).packages).toMatchObject({ npmRegistry: null, hosts: [] });
    const yaml =
      'packages: { npmRegistry: "https://npm.corp.example/", hosts: [ cdn.example, "files.example:8443" ] }';
    expect(load(yaml).packages).toMatchObject({
      npmRegistry: 'https://npm.corp.example/',
      hosts: ['cdn.example', 'files.example:8443'],
    });
    const env = {
      SALLYPORT_PACKAGES_NPM_REGISTRY: 'http://127.0.0.1:4873',
      SALLYPORT_PACKAGES_HOSTS: 'a.example,',
    };
    expect(load(yaml, env).packages).toMatchObject({
      npmRegistry: 'http://127.0.0.1:4873',
      hosts: ['a.example'],
    });
  });

  it('are not overridden by a variable that is empty', () => {
    expect(load('log: debug', { SALLYPORT_LOG: '', SALLYPORT_LISTEN: '' })).toMatchObject({
      log: 'debug',
      listen: { port: 7800 },
    });
  });

  it.each([
    ['an unknown setting', 'lisen: 1', {}, 'lisen'],
    ['an unknown egress setting', 'egress: { allowNetwork: [] }', {}, 'egress: '],
    ['a prototype', '__proto__: { log: debug }', {}, '__proto__'],
    ['an address without a port', 'listen: localhost', {}, 'listen: is not of the form HOST:PORT'],
    ['a port out of range', 'listen: 127.0.0.1:65536', {}, 'listen: is not of the form HOST:PORT'],
    ['a public address with a path', 'publicUrl: https://gate.example/mcp', {}, 'address without a path'],
    ['a public address with a query', 'publicUrl: "https://gate.example/?"', {}, 'address without a path'],
    ['a public address with a login', 'publicUrl: https://me@gate.example', {}, 'address without a path'],
    ['a public address that is none', 'publicUrl: gate.example', {}, 'address without a path'],
    [
      'an issuer without TLS',
      'authorizationServers: [ "http://login" ]',
      {},
      'is not the address of an issuer',
    ],
    [
      'an issuer with a query',
      'authorizationServers: [ "https://a/?b" ]',
      {},
      'is not the address of an issuer',
    ],
    ['a host with a port', 'allowedHosts: [ "gate.example:443" ]', {}, 'is not a host name alone'],
    [
      'an origin that is an address',
      'allowedOrigins: [ https://app.example ]',
      {},
      'is not a host name alone',
    ],
    ['an unknown log level', 'log: loud', {}, 'log: '],
    ['an unknown durability', '', { SALLYPORT_AUDIT_DURABILITY: 'none' }, 'audit.durability: '],
    ['an isolation in other words', 'cells: { isolation: none }', {}, 'cells.isolation: '],
    ['a grace without an end', 'cells: { stopSeconds: 3600 }', {}, 'cells.stopSeconds: '],
    ['a grace that is no number', '', { SALLYPORT_CELLS_STOP_SECONDS: '1.5' }, 'cells.stopSeconds: '],
    ['more prepared cells than can be', 'cells: { prepared: 65 }', {}, 'cells.prepared: '],
    ['a negative number of them', 'cells: { prepared: -1 }', {}, 'cells.prepared: '],
    ['a number of them that is none', '', { SALLYPORT_CELLS_PREPARED: 'two' }, 'cells.prepared: '],
    ['a registry that is none', 'packages: { npmRegistry: npm.example }', {}, 'packages.npmRegistry: '],
    ['a registry with a password', 'packages: { npmRegistry: "https://u:p@npm.example/" }', {}, 'a password'],
    ['an index that is none', 'packages: { pypiIndex: pypi.example }', {}, 'packages.pypiIndex: '],
    ['an interpreter that no cell sees', 'packages: { python: /opt/python3 }', {}, 'below /usr'],
    ['an archive host that is none', 'packages: { hosts: [ "https://a" ] }', {}, 'HOST or HOST:PORT'],
    ['no idle time', 'cells: { idleSeconds: 0 }', {}, 'cells.idleSeconds: '],
    ['an idle time that is no number', '', { SALLYPORT_CELLS_IDLE_SECONDS: 'ten' }, 'cells.idleSeconds: '],
    ['a network that is none', 'egress: { allowNetworks: [ 10.0.0.0/99 ] }', {}, 'is not a network'],
    ['an address as a network', 'egress: { allowNetworks: [ 10.0.0.1 ] }', {}, 'is not a network'],
    ['a redirection to nowhere', 'egress: { resolve: { "a.test:443": "b" } }', {}, 'HOST:PORT to HOST:PORT'],
    ['a redirection of nothing', '', { SALLYPORT_EGRESS_RESOLVE: 'a.test' }, 'HOST:PORT to HOST:PORT'],
    ['a redirection without a port', 'egress: { resolve: { a.test: "b:1" } }', {}, 'HOST:PORT to HOST:PORT'],
    ['broken YAML', 'listen: [', {}, 'is not valid YAML'],
    ['a key twice', 'log: debug\nlog: info', {}, 'is not valid YAML'],
    ['an alias', 'log: &a debug\nlisten: *a', {}, 'uses an alias'],
    [
      'a proxy without a port',
      'proxy: { listen: localhost }',
      {},
      'proxy.listen: is not of the form HOST:PORT',
    ],
    ['a proxy for the network', 'proxy: { listen: "0.0.0.0:7801" }', {}, 'is not on a loopback address'],
    [
      'a proxy for the network, by name',
      'proxy: { listen: "gate.test:7801" }',
      {},
      'is not on a loopback address',
    ],
    [
      'a proxy for IPv6 networks',
      '',
      { SALLYPORT_PROXY_LISTEN: '[::]:7801' },
      'is not on a loopback address',
    ],
    ['a list', '- log', {}, 'must hold settings'],
    ['text', 'log', {}, 'must hold settings'],
  ])('refuse %s', (_, yaml, env, message) => {
    expect(() => load(yaml, env)).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        kind: 'invalid',
        message: expect.stringContaining(message) as string,
        hint: expect.any(String) as string,
      }),
    );
  });

  it('refuse a file of authorities that is not there, and one without a certificate', () => {
    expect(() => load('egress: { extraCa: [ none.pem ] }')).toThrow(
      expect.objectContaining({ code: 'config_unreadable', hint: 'It is named by egress.extraCa.' }),
    );
    const broken = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
    const cut = '-----BEGIN CERTIFICATE-----\nAA==\n';
    for (const text of ['not a certificate', broken, PEM + broken, PEM + cut]) {
      writeFileSync(join(home, 'empty.pem'), text);
      expect(() => load('egress: { extraCa: [ empty.pem ] }')).toThrow(
        expect.objectContaining({ code: 'config_invalid', hint: 'It is named by egress.extraCa.' }),
      );
    }
    writeFileSync(join(home, 'two.pem'), `# two of them\n${PEM}${PEM.replaceAll('\n', '\r\n')}`);
    expect(load('egress: { extraCa: [ two.pem ] }').egress.extraCa).toHaveLength(1);
  });

  it('cannot be read from a file that cannot be read', () => {
    mkdirSync(join(home, 'sallyport.yaml'));
    expect(() => load(null)).toThrow(expect.objectContaining({ code: 'config_unreadable', kind: 'failed' }));
  });
});

describe("the company's proxy", () => {
  const CRL =
    '-----BEGIN X509 CRL-----\nMEEwLwIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARUZXN0Fw0yNTAxMDEwMDAwMDBaMAoGCCqGSM49BAMCAwIAAQ==\n-----END X509 CRL-----\n';

  it('is read from the file, with what goes with it', () => {
    const { proxy } = load(
      [
        'egress:',
        '  proxy: http://Proxy.Corp.Example:3128',
        '  proxyResolves: true',
        '  noProxy: [ API.corp.example, "*.int.example", ".net.example" ]',
      ].join('\n'),
    ).egress;
    expect(proxy).toEqual({
      host: 'proxy.corp.example',
      port: 3128,
      credentials: null,
      resolves: true,
      except: ['api.corp.example', '*.int.example', '*.net.example'],
    });
  });

  it('comes from the environment, its password from a file too, and is never printed', () => {
    const file = join(home, 'proxy-url');
    writeFileSync(file, 'http://me:p%40ss%3Aword@[::1]:3128/\n');
    const config = load('egress: { proxy: "http://a.example:1" }', {
      SALLYPORT_EGRESS_PROXY_FILE: file,
      SALLYPORT_EGRESS_PROXY_RESOLVES: 'true',
      SALLYPORT_EGRESS_NO_PROXY: 'a.example, *.b.example',
    });
    const { proxy } = config.egress;
    expect(proxy).toMatchObject({
      host: '::1',
      port: 3128,
      resolves: true,
      except: ['a.example', '*.b.example'],
    });
    expect(proxy?.credentials?.reveal()).toBe('me:p@ss:word');
    expect(JSON.stringify(config)).not.toContain('p@ss');
    expect(load(null, { SALLYPORT_EGRESS_PROXY: 'http://b.example' }).egress.proxy).toMatchObject({
      host: 'b.example',
      port: 80,
    });
  });

  it.each([
    ['TLS to it', 'https://me:hunter2@a.example:1'],
    ['a path', 'http://me:hunter2@a.example:1/path'],
    ['no scheme', 'me:hunter2@a.example:1'],
    ['a user with a colon', 'http://m%3Ae:hunter2@a.example'],
    ['control characters', 'http://me:hunter2%0d%0a@a.example'],
    ['a broken escape', 'http://me:hunter2%zz@a.example'],
  ])('with %s is refused, and the password not repeated', (_name, url) => {
    const shape = 'egress.proxy: is not of the form http://[USER:PASSWORD@]HOST:PORT';
    expect(() => load(null, { SALLYPORT_EGRESS_PROXY: url })).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(shape) as string }),
    );
    expect(() => load(null, { SALLYPORT_EGRESS_PROXY: url })).not.toThrow('hunter2');
  });

  it.each([
    ['a pattern that reaches too far', 'egress: { noProxy: [ "*.example" ] }', {}, 'egress.noProxy.0: '],
    ['a network', 'egress: { noProxy: [ 10.0.0.0/8 ] }', {}, 'egress.noProxy.0: '],
    ['neither true nor false', '', { SALLYPORT_EGRESS_PROXY_RESOLVES: 'yes' }, 'egress.proxyResolves: '],
  ])('is not bypassed by %s', (_name, yaml, env, message) => {
    expect(() => load(yaml, env)).toThrow(message);
  });

  it('has revocation lists beside it, and one that is none is refused', () => {
    writeFileSync(join(home, 'list.pem'), CRL);
    expect(load('egress: { crl: [ list.pem ] }').egress.crl).toEqual([CRL]);
    expect(load(null, { SALLYPORT_EGRESS_CRL: join(home, 'list.pem') }).egress.crl).toEqual([CRL]);
    for (const text of [PEM, CRL.replace('MEEw', 'MEIw'), CRL.replace('MEEwLwIBATAK', 'MAUwAwIBATAK')]) {
      writeFileSync(join(home, 'none.pem'), text);
      expect(() => load('egress: { crl: [ none.pem ] }')).toThrow(
        expect.objectContaining({ code: 'config_invalid', hint: 'It is named by egress.crl.' }),
      );
    }
  });
});

describe('the master key', () => {
  const hex = 'a'.repeat(64);

  it('comes from the environment, or from the file that it names', () => {
    writeFileSync(join(home, 'key'), `${hex}\n`);
    const fromVariable = load(null, {
      SALLYPORT_MASTER_KEY: hex,
      SALLYPORT_MASTER_KEY_PREVIOUS: 'b'.repeat(64),
    });
    expect(fromVariable.masterKey?.current.reveal()).toBe(hex);
    expect(fromVariable.masterKey?.previous.map((key) => key.reveal())).toEqual(['b'.repeat(64)]);
    const fromFile = load(null, { SALLYPORT_MASTER_KEY_FILE: join(home, 'key') });
    expect(fromFile.masterKey?.current.reveal()).toBe(hex);
    expect(fromFile.masterKey?.previous).toEqual([]);
  });

  it('is not shown by anything that prints the configuration', () => {
    const config = load(null, { SALLYPORT_MASTER_KEY: hex });
    expect(JSON.stringify({ ...config, environment: {} })).not.toContain(hex);
  });

  it('of the home folder is not used in silence where another was meant', () => {
    writeFileSync(join(home, 'key'), '\n');
    expect(() => load(null, { SALLYPORT_MASTER_KEY_FILE: join(home, 'key') })).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        hint: 'It is named by SALLYPORT_MASTER_KEY_FILE.',
      }),
    );
    expect(() => load(null, { SALLYPORT_MASTER_KEY_FILE: join(home, 'none') })).toThrow(
      expect.objectContaining({ code: 'config_unreadable' }),
    );
    expect(() =>
      load(null, { SALLYPORT_MASTER_KEY: hex, SALLYPORT_MASTER_KEY_FILE: join(home, 'key') }),
    ).toThrow('Both SALLYPORT_MASTER_KEY and SALLYPORT_MASTER_KEY_FILE are set.');
  });
});

describe('parseListen', () => {
  it.each([
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['localhost:7800', 'localhost', 7800],
    ['[::1]:65535', '::1', 65_535],
  ])('reads %s', (text, host, port) => expect(parseListen(text)).toEqual({ host, port }));

  it.each(['', 'localhost', '::1:80', '127.0.0.1:65536', 'a b:1', 'http://x:1', '[::1]', ':80'])(
    'refuses %j',
    (text) =>
      expect(() => parseListen(text)).toThrow(
        expect.objectContaining({
          code: 'config_invalid',
          hint: expect.stringContaining('HOST:PORT') as string,
        }),
      ),
  );
});
