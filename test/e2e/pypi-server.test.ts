/**
 * A server of Python's as an operator meets it: the real program, an index on this machine, real cells. It is added by the
 * name of its package alone, runs, is not started when its files were changed, and is had again; a new version is named.
 */
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerView } from '../../src/api/index.ts';
import { findInterpreter, findPip } from '../../src/sandbox/packages/python-tools.ts';
import { type LocalIndex, makeSources, makeWheel, startIndex } from '../sandbox/local-index.ts';
import { type Home, makeHome, type Served } from './harness.ts';

/** Generous: several installations in a row, on a machine that may be busy. */
const LONG_MS = 240_000;
const PYTHON = '/usr/bin/python3';
const hasPip = existsSync(PYTHON) && findPip(findInterpreter(PYTHON)) !== null;

/** A server that needs nothing but Python; its tool says where it runs and what it is made of. */
const SERVER = `
import json, os, sys
import hinge

def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "gate", "version": "1"}}
    if method == "tools/list":
        return {"tools": [{"name": "look", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}]}
    if method == "tools/call":
        seen = [sys.prefix, sys.executable, "hinge " + hinge.version, os.access("/package/venv/lib", os.W_OK)]
        return {"content": [{"type": "text", "text": json.dumps(seen)}]}
    return {}

def main():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message["method"], message.get("params", {}))
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
`;
const gate = (version: string, hinge: string) =>
  makeWheel({
    name: 'gate-server',
    version,
    files: { 'gate_server.py': SERVER },
    programs: { 'gate-server': 'gate_server:main' },
    requires: [`hinge==${hinge}`],
  });
const hinge = (version: string, says = version) =>
  makeWheel({ name: 'hinge', version, files: { 'hinge.py': `version = ${JSON.stringify(says)}\n` } });

let index: LocalIndex;
let home: Home;
let gateway: Served;

beforeAll(async () => {
  index = await startIndex([gate('1.0', '2.0'), hinge('2.0')]);
  home = makeHome(`packages: { pypiIndex: "${index.url}" }\n`);
  expect((await home.run('init')).code).toBe(0);
  gateway = await home.serve();
});
afterAll(async () => {
  await gateway.stop();
  home.remove();
  await index.close();
});

const show = () => home.json<ServerView>('server', 'show', 'gate-server');
const look = () => home.run('call', 'gate-server', 'look');
const folder = async (): Promise<string> =>
  join(home.path, 'packages', (await show()).package?.integrity ?? 'none');

describe.skipIf(!hasPip)(
  "a server of Python's (waits for /usr/bin/python3 and pip's wheel)",
  { timeout: LONG_MS },
  () => {
    it('is added by the name of its package, and answers from an environment that it cannot change', async () => {
      expect(await home.run('server', 'add', 'pypi:gate-server')).toMatchObject({ code: 0 });
      expect((await show()).package).toMatchObject({ spec: 'pypi:gate-server==1.0' });
      const { code, stdout } = await look();
      expect({ code, stdout }).toMatchObject({ code: 0 });
      for (const seen of ['/package/venv', '/package/venv/bin/python', 'hinge 2.0', 'false'])
        expect(stdout).toContain(seen);
    });

    it('is not started when a compiled file of it was changed, and can be had again', async () => {
      const before = await show();
      expect(await home.run('server', 'disable', 'gate-server')).toMatchObject({ code: 0 });
      const library = join(
        await folder(),
        'venv/lib',
        readdirSync(join(await folder(), 'venv/lib'))[0] ?? '',
      );
      const caches = join(library, 'site-packages/__pycache__');
      const compiled = join(caches, readdirSync(caches).find((name) => name.startsWith('hinge.')) ?? '');
      chmodSync(compiled, 0o644);
      writeFileSync(compiled, 'other bytes');
      expect(await home.run('server', 'enable', 'gate-server')).toMatchObject({ code: 0 });
      const refused = await look();
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('The files of gate-server@1.0 are not those that were installed');
      expect(await home.run('server', 'reinstall', 'gate-server')).toMatchObject({ code: 0 });
      expect((await show()).package).toEqual(before.package);
      expect(await look()).toMatchObject({ code: 0 });
    });

    it('is not taken anew from an index that sends other bytes than were pinned', async () => {
      rmSync(await folder(), { recursive: true, force: true });
      index.put(hinge('2.0', 'evil'));
      const refused = await home.run('server', 'reinstall', 'gate-server');
      expect(refused.code).toBe(3);
      expect(refused.stderr).toContain('is not what was pinned');
      index.put(hinge('2.0'));
      expect(await home.run('server', 'reinstall', 'gate-server')).toMatchObject({ code: 0 });
    });

    it('has its new version named, and held back where a part of it would have to be built', async () => {
      index.put(gate('1.1', '2.1'));
      index.put(hinge('2.1'));
      const taken = await home.run('server', 'upgrade', 'gate-server');
      expect(taken).toMatchObject({ code: 0 });
      expect(taken.stdout).toContain('1.0.0 → 1.1.0');
      expect(taken.stdout).toContain('Added: gate-server@1.1, hinge@2.1');
      expect((await look()).stdout).toContain('hinge 2.1');
      index.put(gate('1.2', '3.0'));
      index.put(makeSources('hinge', '3.0', { 'setup.py': 'import os; os.abort()\n' }));
      // Without a version, the newest that needs no building is taken.
      expect((await home.run('server', 'upgrade', 'gate-server')).code).toBe(0);
      expect((await show()).package).toMatchObject({ spec: 'pypi:gate-server==1.1' });
      const held = await home.run('server', 'upgrade', 'gate-server', '--to', '1.2');
      expect(held.code).not.toBe(0);
      expect(held.stderr).toContain('hinge==3.0 as sources only');
      expect((await show()).package).toMatchObject({ spec: 'pypi:gate-server==1.1' });
    });
  },
);
