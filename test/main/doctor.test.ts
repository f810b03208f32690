/** Each verdict of the doctor about this machine, on machines that are as the test says. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { EgressConfig } from '../../src/egress/index.ts';
import { checkAuthorities } from '../../src/main/doctor/authorities.ts';
import { checkClock } from '../../src/main/doctor/clock.ts';
import { checkFiles, checkHome, checkMasterKey } from '../../src/main/doctor/files.ts';
import { type Entry, type Machine, type Resolution, thisMachine } from '../../src/main/doctor/machine.ts';
import { checkNames } from '../../src/main/doctor/names.ts';
import { checkPort, portFix } from '../../src/main/doctor/port.ts';
import { checkDescriptors, checkDisk } from '../../src/main/doctor/room.ts';
import { createTestAuthority } from '../egress/test-authority.ts';

const NOW = Date.UTC(2026, 10, 21, 9);
const MIB = 2 ** 20;

interface Given {
  readonly files?: Readonly<Record<string, string>>;
  readonly entries?: Readonly<Record<string, Partial<Entry>>>;
  readonly room?: ReturnType<Machine['room']>;
  readonly names?: Readonly<Record<string, Resolution>>;
  readonly authorities?: number;
  readonly says?: string | null;
}
const machine = ({
  files = {},
  entries = {},
  room = null,
  names = {},
  authorities = 140,
  says = null,
}: Given): Machine => ({
  uid: 1000,
  text: (path) => files[path] ?? null,
  entry: (path) => {
    const given = entries[path];
    return given === undefined ? null : { mode: 0o600, uid: 1000, modifiedAt: NOW, ...given };
  },
  room: () => room,
  resolve: async (host) => names[host] ?? { ok: false, code: 'ENOTFOUND' },
  authorities: () => authorities,
  ask: async () => says,
});
const egress = (over: Partial<EgressConfig> = {}): EgressConfig => ({
  resolve: {},
  allowNetworks: [],
  extraCa: [],
  crl: [],
  proxy: null,
  ...over,
});

describe('the home and its files', () => {
  it('are right when they are for nobody else', () => {
    const closed = machine({
      entries: {
        '/h': { mode: 0o700 },
        '/h/master.key': {},
        '/h/sallyport.db': {},
        '/h/run': { mode: 0o700 },
        '/h/packages': { mode: 0o755 },
      },
    });
    expect(checkHome('/h', closed)).toEqual({ name: 'home', ok: true, found: '/h, mode 700' });
    expect(checkMasterKey('/h', closed)).toMatchObject({ ok: true });
    expect(checkFiles('/h', closed)).toEqual({
      name: 'files',
      ok: true,
      found: '3 of the home, open to nobody else',
    });
  });

  it('that are missing are made by init', () => {
    expect(checkMasterKey('/h', machine({}))).toEqual({
      name: 'master key',
      ok: false,
      found: '/h/master.key is not there',
      fix: 'sallyport init',
    });
  });

  it.each([
    ['sallyport.yaml', 0o644, 'chmod 600'],
    ['sallyport.db', 0o640, 'chmod 600'],
    ['sallyport.db-wal', 0o660, 'chmod 600'],
    ['sallyport.db-shm', 0o604, 'chmod 600'],
    ['sallyport.sock', 0o666, 'chmod 600'],
    ['gateway.lock', 0o644, 'chmod 600'],
    ['audit-journal', 0o755, 'chmod 700'],
    ['run', 0o711, 'chmod 700'],
    ['logs', 0o750, 'chmod 700'],
    ['packages', 0o775, 'chmod 755'],
    ['proxy', 0o777, 'chmod 755'],
  ])('are wrong where %s has mode %o', (name, mode, fix) => {
    const path = `/h/${name}`;
    expect(checkFiles('/h', machine({ entries: { [path]: { mode } } }))).toEqual({
      name: 'files',
      ok: false,
      found: `${path} has mode ${mode.toString(8)}`,
      fix: `${fix} ${path}`,
    });
  });

  it('are all put right by one line', () => {
    const entries = { '/h/sallyport.db': { mode: 0o644 }, '/h/run': { mode: 0o755 } };
    expect(checkFiles('/h', machine({ entries })).fix).toBe('chmod 700 /h/run && chmod 600 /h/sallyport.db');
  });

  it('have to belong to the user that runs Sallyport', () => {
    expect(checkHome('/h', machine({ entries: { '/h': { mode: 0o700, uid: 0 } } }))).toMatchObject({
      ok: false,
      fix: 'sudo chown -R 1000 /h',
    });
    expect(checkFiles('/h', machine({ entries: { '/h/sallyport.db': { uid: 0 } } }))).toMatchObject({
      ok: false,
      fix: 'sudo chown -R 1000 /h/sallyport.db',
    });
  });
});

describe('the clock', () => {
  const at = (now: number, given: Given) => checkClock(now, ['/h/db'], machine(given));

  it('is believed where nothing speaks against it', async () => {
    expect(await at(NOW, {})).toEqual({ name: 'clock', ok: true, found: '2026-11-21T09:00:00.000Z' });
    expect(await at(NOW, { says: 'yes' })).toEqual({
      name: 'clock',
      ok: true,
      found: '2026-11-21T09:00:00.000Z, synchronised',
    });
  });

  it('is not where it was never set', async () => {
    expect(await at(Date.UTC(1970, 0, 2), {})).toMatchObject({
      ok: false,
      fix: expect.stringContaining('timedatectl set-ntp true') as string,
    });
  });

  it('is not where it has gone back: something was written later', async () => {
    const written = (modifiedAt: number): Given => ({ entries: { '/h/db': { modifiedAt } } });
    expect(await at(NOW, written(NOW + 59_000))).toMatchObject({ ok: true });
    expect(await at(NOW, written(NOW + 61_000))).toMatchObject({
      ok: false,
      found: '2026-11-21T09:00:00.000Z, but something was written at 2026-11-21T09:01:01.000Z',
    });
  });

  it('is believed, with advice, where nothing sets it', async () => {
    expect(await at(NOW, { says: 'no' })).toMatchObject({
      ok: true,
      fix: expect.stringContaining('set-ntp true') as string,
    });
  });
});

describe('names', () => {
  const places = [
    { host: 'api.test.example', port: 443 },
    { host: 'api.test.example', port: 8443 },
    { host: '*.test.example', port: 443 },
  ];
  const given = (answer: Resolution): Machine => machine({ names: { 'api.test.example': answer } });

  it('of servers are asked for once each, patterns not', async () => {
    const answer = { ok: true, addresses: ['93.184.216.34', '2606:2800::1'] } as const;
    expect(await checkNames(places, egress(), given(answer))).toEqual([
      { name: 'name api.test.example', ok: true, found: '93.184.216.34, 2606:2800::1' },
    ]);
  });

  it.each([
    ['ENOTFOUND', 'getent hosts api.test.example'],
    ['EAI_AGAIN', '/etc/resolv.conf'],
    ['TIMEOUT', '/etc/resolv.conf'],
  ])('that have no address, %s, come with what to look at', async (code, fix) => {
    expect(await checkNames(places, egress(), given({ ok: false, code }))).toMatchObject([
      { ok: false, found: code, fix: expect.stringContaining(fix) as string },
    ]);
  });

  it.each([
    ['10.1.2.3', 'private', '10.1.2.3/32'],
    ['fd00::5', 'private', 'fd00::5/128'],
    ['127.0.0.1', 'loopback', '127.0.0.1/32'],
  ])('that lead to %s are not dialled unless the operator says so', async (address, kind, network) => {
    const answer = given({ ok: true, addresses: [address] });
    expect(await checkNames(places, egress(), answer)).toMatchObject([
      {
        ok: false,
        found: `${address}: ${kind} addresses are not dialled`,
        fix: expect.stringContaining(`[ ${network} ]`) as string,
      },
    ]);
    expect(await checkNames(places, egress({ allowNetworks: [network] }), answer)).toMatchObject([
      { ok: true },
    ]);
  });

  it('that lead to a public address too are fine', async () => {
    const answer = given({ ok: true, addresses: ['10.1.2.3', '93.184.216.34'] });
    expect(await checkNames(places, egress(), answer)).toMatchObject([{ ok: true }]);
  });

  it('that are dialled elsewhere are not asked for', async () => {
    const config = egress({
      resolve: { 'api.test.example:443': '127.0.0.1:1', 'api.test.example:8443': '127.0.0.1:1' },
    });
    const named = machine({
      files: { '/etc/resolv.conf': '# made\nnameserver 9.9.9.9\nnameserver 1.1.1.1\n' },
    });
    expect(await checkNames(places, config, named)).toEqual([
      { name: 'names', ok: true, found: 'resolved by 9.9.9.9, 1.1.1.1' },
    ]);
    expect(await checkNames(places, config, machine({}))).toMatchObject([
      { ok: true, found: 'no name server in /etc/resolv.conf' },
    ]);
  });

  it('that a proxy resolves are left to it', async () => {
    const proxy = { host: 'proxy', port: 3128, credentials: null, resolves: true, except: [] };
    expect(await checkNames(places, egress({ proxy }), machine({}))).toMatchObject([{ ok: true }]);
  });

  it('are asked for up to a number', async () => {
    const many = Array.from({ length: 50 }, (_, index) => ({ host: `h${index}.test.example`, port: 443 }));
    expect(await checkNames(many, egress(), machine({}))).toHaveLength(8);
  });
});

describe('certificate authorities', () => {
  it('are counted', () => {
    expect(checkAuthorities([], NOW, machine({}))).toEqual({
      name: 'certificate authorities',
      ok: true,
      found: '140 of the system',
    });
  });

  it('are advised where the system has none', () => {
    expect(checkAuthorities([], NOW, machine({ authorities: 0 }))).toMatchObject({
      ok: true,
      fix: 'sudo apt-get install -y ca-certificates',
    });
  });

  it('of the configuration have to be valid now', () => {
    const { caPem } = createTestAuthority(['api.test.example']);
    const now = Date.now();
    expect(checkAuthorities([`${caPem}\n${caPem}`], now, machine({}))).toMatchObject({
      ok: true,
      found: '140 of the system, 2 of egress.extraCa',
    });
    for (const then of [now + 100 * 365 * 86_400_000, now - 100 * 365 * 86_400_000])
      expect(checkAuthorities([caPem], then, machine({}))).toMatchObject({
        ok: false,
        found: expect.stringContaining('is valid from') as string,
      });
  });
});

describe('room', () => {
  it.each([
    [{ bytes: 50 * 1024 * MIB, files: 1e6 }, true, false],
    [{ bytes: 50 * 1024 * MIB, files: null }, true, false],
    [{ bytes: 500 * MIB, files: 1e6 }, true, true],
    [{ bytes: 10 * MIB, files: 1e6 }, false, true],
    [{ bytes: 50 * 1024 * MIB, files: 10 }, false, true],
    [null, true, false],
  ])('on the disk, %j: %s', (room, ok, advised) => {
    const check = checkDisk('/h', machine({ room }));
    expect([check.ok, check.fix !== undefined]).toEqual([ok, advised]);
    if (advised) expect(check.fix).toContain('df -h /h');
  });

  it.each([
    ['1048576', true, false],
    ['unlimited', true, false],
    ['1024', true, true],
    ['128', false, true],
  ])('for %s descriptors: %s', (most, ok, advised) => {
    const text = `Limit  Soft Limit Hard Limit Units\nMax open files            64                   ${most}              files\n`;
    const check = checkDescriptors(machine({ files: { '/proc/self/limits': text } }));
    expect([check.ok, check.fix !== undefined]).toEqual([ok, advised]);
    expect(check.found).toContain(most);
  });

  it('for descriptors is not known everywhere', () => {
    expect(checkDescriptors(machine({}))).toEqual({ name: 'descriptors', ok: true, found: 'not known' });
  });
});

describe('ports', () => {
  it('are tried', async () => {
    const busy = createServer();
    await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done));
    const { port } = busy.address() as AddressInfo; // a listening TCP server has an AddressInfo
    const taken = await checkPort('port', { host: '127.0.0.1', port }, '`listen`');
    expect(taken).toMatchObject({ name: `port 127.0.0.1:${port}`, ok: false, found: 'EADDRINUSE' });
    await new Promise((done) => busy.close(done));
    expect(await checkPort('port', { host: '127.0.0.1', port }, '`listen`')).toMatchObject({
      ok: true,
      found: 'free',
    });
    expect(await checkPort('port', { host: '192.0.2.1', port }, '`listen`')).toMatchObject({
      ok: false,
      found: 'EADDRNOTAVAIL',
    });
  });

  it.each([
    ['EADDRINUSE', "ss -ltnp 'sport = :80'"],
    ['EACCES', 'Ports below 1024'],
    ['EADDRNOTAVAIL', 'ip address'],
    ['EOTHER', 'Set another address: `listen`'],
  ])('that cannot be had, %s, come with what to do', (code, words) => {
    expect(portFix(code, 80, '`listen`')).toContain(words);
    expect(portFix(code, 80, '`listen`')).toContain('`listen`');
  });
});

describe('this machine', () => {
  it('is looked at as it is', async () => {
    expect(thisMachine.entry('/proc/self')?.mode).toBe(0o555);
    expect(thisMachine.entry('/nothing')).toBeNull();
    expect(thisMachine.text('/nothing')).toBeNull();
    expect(thisMachine.room('/')?.bytes).toBeGreaterThan(0);
    expect(thisMachine.room('/nothing')).toBeNull();
    expect(await thisMachine.resolve('localhost')).toMatchObject({ ok: true });
    expect(checkDescriptors(thisMachine).found).not.toBe('not known');
    expect(await thisMachine.ask('/bin/echo', 'said')).toBe('said');
    expect(await thisMachine.ask('/bin/false')).toBeNull();
    expect(await thisMachine.ask('/nothing')).toBeNull();
  });
});
