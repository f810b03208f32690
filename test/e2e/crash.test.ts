/**
 * The gateway is killed with `kill -9` in the middle of 1,000 calls, again and again. Afterwards nothing that was
 * acknowledged is missing, the audit chain verifies, no cell is left, and no file.
 */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeHome, proberManifest, type Served, waitFor } from './harness.ts';

const CALLS = 1_000;
const CLIENTS = 8;
const CRASHES = 4;

const home = makeHome();
const script = `prober-${process.pid}.mjs`;

/** Processes of the whole machine that run this test's server, in whatever cell. */
function cellProcesses(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(script);
    } catch {
      return false;
    }
  });
}

interface Event {
  readonly sequence: number;
  readonly type: string;
  readonly server?: string;
  readonly data: { readonly version?: number; readonly call?: string };
}

async function events(): Promise<Event[]> {
  const { stdout } = await home.run('audit', 'export');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
}

afterAll(() => home.remove());

describe('a gateway that is killed', () => {
  it('loses nothing that it acknowledged and leaves nothing behind', async () => {
    await home.run('init');
    copyFileSync(join(home.servers, 'prober.mjs'), join(home.servers, script));
    const manifest = join(home.path, 'prober.json');
    writeFileSync(manifest, proberManifest(home, { script }));
    await home.json('server', 'add', manifest);
    await home.runWith({ input: 'value-0000000000' }, 'secret', 'set', 'prober', 'API_KEY', '--stdin');
    const { token } = await home.json<{ token: string }>('token', 'create', '--agent', 'crash');

    let answered = 0;
    let crashes = 0;
    let acknowledgedVersion = 1;
    let gateway: Served = await home.serve();
    while (answered < CALLS) {
      const serving = gateway;
      const goal =
        crashes < CRASHES
          ? Math.min(CALLS, answered + 50 + Math.floor((CALLS / CRASHES) * Math.random()))
          : CALLS;
      const clients = Array.from({ length: CLIENTS }, () =>
        callUntil(
          serving.url,
          token,
          () => answered < goal,
          () => (answered += 1),
        ),
      );
      const setter = setUntil(
        () => answered < goal && serving.process.signalCode === null,
        (version) => (acknowledgedVersion = Math.max(acknowledgedVersion, version)),
      );
      if (crashes < CRASHES) {
        await waitFor(() => answered >= goal - 40);
        expect(cellProcesses().length).toBeGreaterThan(0);
        await serving.crash();
        crashes += 1;
        await Promise.all([...clients, setter]);
        await waitFor(() => cellProcesses().length === 0);
        gateway = await home.serve();
      } else {
        await Promise.all([...clients, setter]);
      }
    }

    expect(crashes).toBe(CRASHES);
    expect((await home.run('audit', 'verify')).code).toBe(0);
    const recorded = await events();
    expect(recorded.map((event) => event.sequence)).toEqual(recorded.map((_, index) => index + 1));
    // Every call that a client got an answer to had been recorded before.
    expect(recorded.filter((event) => event.type === 'call.started').length).toBeGreaterThanOrEqual(answered);
    const [secret] = await home.json<{ version: number }[]>('secret', 'list', 'prober');
    expect(secret?.version).toBeGreaterThanOrEqual(acknowledgedVersion);
    expect(acknowledgedVersion).toBeGreaterThan(1);

    expect(await gateway.stop()).toBe(0);
    expect(cellProcesses()).toEqual([]);
    expect(readdirSync(home.temporary)).toEqual([]);
    expect(
      readdirSync(home.path, { recursive: true }).filter((name) =>
        /run\/.*\/|\.sock|\.tmp/.test(String(name)),
      ),
    ).toEqual([]);
    // The value that is stored still opens: the cell starts, and its server answers.
    expect((await home.run('call', 'prober', 'echo', '{"whole":true}')).stdout).toBe('{"whole":true}\n');
  }, 240_000);
});

/** Calls as fast as it gets answers. No client library: those wait for an answer that will not come. */
async function callUntil(
  url: string,
  token: string,
  goOn: () => boolean,
  onAnswer: () => void,
): Promise<void> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const post = async (extra: Record<string, string>, message: object): Promise<Response> => {
    const response = await fetch(`${url}/mcp/default`, {
      method: 'POST',
      headers: { ...headers, ...extra },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response;
  };
  try {
    const params = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'crash-test', version: '1.0.0' },
    };
    const opened = await post({}, { id: 0, method: 'initialize', params });
    await opened.text();
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    await (await post(session, { method: 'notifications/initialized' })).text();
    for (let id = 1; goOn(); id += 1) {
      const answer = await post(session, {
        id,
        method: 'tools/call',
        params: { name: 'prober__echo', arguments: { id } },
      });
      if (!(await answer.text()).includes(`{\\"id\\":${id}}`)) throw new Error('another answer');
      onAnswer();
    }
  } catch {
    // The gateway is gone: that is the point.
  }
}

async function setUntil(goOn: () => boolean, onAcknowledged: (version: number) => void): Promise<void> {
  for (let round = 0; goOn(); round += 1) {
    const outcome = await home.runWith(
      { input: `value-${round}-${Math.random()}` },
      'secret',
      'set',
      'prober',
      'API_KEY',
      '--stdin',
      '--json',
    );
    if (outcome.code === 0) onAcknowledged((JSON.parse(outcome.stdout) as { version: number }).version);
  }
}
