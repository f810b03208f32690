import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { atLeast, bubblewrapFacts, hostArchitecture } from '../../src/sandbox/host.ts';
import { openToAnyone, reachableByAnyone } from '../../src/sandbox/reach.ts';
import { completeTools, findTools } from '../../src/sandbox/tools.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-host-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;

describe('tools', () => {
  const names = [
    'bwrap',
    'env',
    'ip',
    'mkdir',
    'mkfifo',
    'mount',
    'prlimit',
    'setpriv',
    'sh',
    'stat',
    'unshare',
  ];

  it('are all on a machine that runs these tests', () => {
    const search = findTools();
    expect(search.missing).toEqual([]);
    // That one only cells at a terminal need; Debian has it everywhere.
    expect(Object.keys(completeTools(search) ?? {}).sort()).toEqual([...names, 'script'].sort());
  });

  it('are named when they are missing', () => {
    const search = findTools([join(root, 'nothing')]);
    expect(search.missing).toEqual(names);
    expect(completeTools(search)).toBe(null);
  });

  it.skipIf(!isRoot)(
    'are only taken from their owner root, and when nobody else can write them (waits for root)',
    () => {
      const folder = join(root, 'bin');
      mkdirSync(folder);
      const make = (name: string, mode: number): string => {
        const path = join(folder, name);
        writeFileSync(path, '#!/bin/sh\n');
        chmodSync(path, mode);
        return path;
      };
      make('sh', 0o755);
      make('ip', 0o775);
      make('env', 0o757);
      make('mount', 0o644);
      execFileSync('/usr/bin/chown', ['54321', make('bwrap', 0o755)]);
      symlinkSync(join(folder, 'bwrap'), join(folder, 'unshare'));
      mkdirSync(join(folder, 'mkdir'));
      expect(findTools([folder]).found).toEqual({ sh: join(folder, 'sh') });
    },
  );
});

describe('versions of bubblewrap', () => {
  it.each([
    ['0.6.1', { sizes: false, limitsUserNamespaces: false }],
    ['0.7.0', { sizes: true, limitsUserNamespaces: false }],
    ['0.8.0', { sizes: true, limitsUserNamespaces: true }],
    ['0.11.0', { sizes: true, limitsUserNamespaces: true }],
    ['', { sizes: false, limitsUserNamespaces: false }],
  ])('%s', (version, facts) => {
    expect(bubblewrapFacts(version)).toEqual(facts);
  });
});

describe('kernel versions', () => {
  it.each([
    ['5.14.0-1-amd64', true],
    ['5.13.19', false],
    ['6.1.0', true],
    ['4.19.0-27-cloud-amd64', false],
    ['5.14', true],
    ['10.0', true],
  ])('%s is at least 5.14: %s', (version, expected) => {
    expect(atLeast(5, 14, version)).toBe(expected);
  });
});

describe('architectures', () => {
  it.each([
    ['x64', 'x64'],
    ['arm64', 'arm64'],
    ['arm', null],
    ['ia32', null],
    ['riscv64', null],
  ])('%s: %s', (arch, expected) => {
    expect(hostArchitecture(arch)).toBe(expected);
  });
});

describe('what a user that is nobody can reach', () => {
  it('is decided by every folder on the way, and the path itself', () => {
    const closed = join(root, 'closed');
    const inner = join(closed, 'inner');
    mkdirSync(inner, { recursive: true });
    chmodSync(root, 0o755);
    chmodSync(closed, 0o755);
    chmodSync(inner, 0o755);
    expect(reachableByAnyone(inner)).toBe(true);
    chmodSync(closed, 0o710);
    expect(reachableByAnyone(inner)).toBe(false);
    chmodSync(closed, 0o711);
    expect(reachableByAnyone(inner)).toBe(true);
    expect(openToAnyone(inner)).toBe(true);
    chmodSync(inner, 0o751);
    expect(openToAnyone(inner)).toBe(false);
    const file = join(inner, 'file');
    writeFileSync(file, '', { mode: 0o644 });
    expect(openToAnyone(file)).toBe(true);
    chmodSync(file, 0o640);
    expect(openToAnyone(file)).toBe(false);
  });
});

describe('inherited descriptors', () => {
  it("are those that a child would get, and none of Node's own", () => {
    openSync('/dev/null', 'r');
    const list =
      'import("SOURCE").then((m) => console.log(JSON.stringify(m.inheritedDescriptors())))'.replace(
        'SOURCE',
        new URL('../../src/sandbox/inherited-descriptors.ts', import.meta.url).href,
      );
    const shell = 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$0" -e "$1" 40</dev/null 41</dev/null';
    const stdout = execFileSync('/bin/bash', ['-c', shell, process.execPath, list], { encoding: 'utf8' });
    const found = JSON.parse(stdout) as number[];
    expect(found).toContain(40);
    expect(found).toContain(41);
    // Descriptors that the test runner itself was given may come along; Node's own are low and never among them.
    expect(found.every((descriptor) => descriptor > 20)).toBe(true);
  });
});
