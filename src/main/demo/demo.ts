/**
 * `sallyport demo`: the whole product on this machine in under a minute, with a real MCP server from npm, and a check
 * behind every tick. Everything happens in a temporary home that is removed at the end.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type ApiClient, createClient } from '../../api/index.ts';
import { type Claim, printable } from '../../cli/index.ts';
import { silentLog, systemClock, systemRandom, toWire } from '../../kernel/index.ts';
import { makePlaceholder } from '../../manifest/index.ts';
import { type Config, type Environment, homeFiles, loadConfig } from '../config.ts';
import { createGateway } from '../gateway.ts';
import { initHome } from '../init.ts';
import { type Door, openLocalDoor, openTcpDoor } from '../listeners.ts';
import { stopSignal } from '../stop-signal.ts';
import { socketTransport } from '../transport.ts';
import { startStandIn, type StandIn } from './stand-in.ts';
import { createStory, type Story } from './story.ts';

const API_HOST = 'api.github.com';
const SLOT = 'GITHUB_PERSONAL_ACCESS_TOKEN';
/** What a shell says of a program that ctrl-C ended. */
const INTERRUPTED = 130;

/** @returns every claim and whether it held */
export async function runDemo(
  out: Writable & { isTTY?: boolean },
  env: Environment,
): Promise<readonly Claim[]> {
  const story = createStory(out);
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  const standIn = await startStandIn(API_HOST);
  const stop = stopSignal(systemClock);
  void stop.received.then(() => {
    // Its cells end with this process; its folder would stay.
    rmSync(folder, { recursive: true, force: true });
    process.exit(INTERRUPTED);
  });
  try {
    await tell(story, folder, standIn, env);
  } catch (error) {
    const { message, hint } = toWire(error);
    story.claim(
      'the demo ran to its end',
      false,
      printable(`${message} ${hint ?? ''} ${error instanceof Error ? error.message : ''}`),
    );
  } finally {
    stop.forget();
    await standIn.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  const failed = story.claims.filter(({ held }) => !held).length;
  out.write(`\n${story.claims.length - failed} claims held, ${failed} did not, in ${seconds} s.\n`);
  if (failed === 0)
    out.write(
      'Next: sallyport init, then sallyport server add github. README.md shows how to connect your agent.\n',
    );
  return story.claims;
}

async function tell(story: Story, folder: string, standIn: StandIn, env: Environment): Promise<void> {
  const config = demoConfig(folder, standIn, env);
  await initHome(config);
  const gateway = await createGateway(config, silentLog);
  const doors: Door[] = [];
  try {
    doors.push(await openLocalDoor(gateway, homeFiles(config.home).socket));
    const tcp = await openTcpDoor(gateway, config.listen);
    doors.push(tcp);
    gateway.listeningAt(tcp.address);
    const operator = createClient(socketTransport(homeFiles(config.home).socket));
    await scenes({ story, folder, standIn, config, operator, url: tcp.address });
  } finally {
    await Promise.all(doors.map((door) => door.close()));
    await gateway.close();
  }
}

function demoConfig(folder: string, standIn: StandIn, env: Environment): Config {
  const home = join(folder, 'home');
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, 'stand-in-ca.pem'), standIn.caPem);
  writeFileSync(
    homeFiles(home).config,
    [
      'listen: 127.0.0.1:0',
      'egress:',
      `  resolve: { "${API_HOST}:443": "127.0.0.1:${standIn.port}" }`,
      '  extraCa: [ stand-in-ca.pem ]',
      '  allowNetworks: [ 127.0.0.0/8 ]',
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const others = Object.entries(env).filter(([name]) => !name.startsWith('SALLYPORT_'));
  return loadConfig({ ...Object.fromEntries(others), SALLYPORT_HOME: home });
}

interface Stage {
  readonly story: Story;
  readonly folder: string;
  readonly standIn: StandIn;
  readonly config: Config;
  readonly operator: ApiClient;
  readonly url: string;
}

/** A key of the right shape that opens nothing anywhere. */
const inventKey = (): string => makePlaceholder('ghp_{alnum:36}', systemRandom);

async function scenes(stage: Stage): Promise<void> {
  const { story, operator } = stage;
  story.chapter('1. A real MCP server from npm, and a key in the vault');
  const server = await operator.addServer({ source: 'github' }, () => undefined);
  story.show('installed', server.package?.spec ?? '');
  story.show('may reach', server.egress.map((rule) => rule.host).join(', '));
  const key = inventKey();
  await operator.setSecret('github', SLOT, key);
  story.show('stored', `${SLOT}, a key that starts with ${key.slice(0, 6)}…`);

  const { token } = await operator.createToken({ profile: 'default', agent: 'demo' });
  const agent = new Client({ name: 'demo-agent', version: '1.0.0' });
  await agent.connect(
    new StreamableHTTPClientTransport(new URL(`${stage.url}/mcp/default`), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  try {
    const placeholder = await theMainJob(stage, agent, key);
    await reflection(stage, agent, key, placeholder);
    await hostileServer(stage, key);
    await rotation(stage, agent, key);
    await killed(stage, agent);
    await theRecord(stage, key);
  } finally {
    await agent.close();
  }
}

const textOf = (result: unknown): string => {
  const { content } = result as { content?: { text?: string }[] };
  return (content ?? []).map((part) => part.text ?? '').join('\n');
};

const search = async (agent: Client, query: string): Promise<string> =>
  textOf(await agent.callTool({ name: 'github__search_repositories', arguments: { query } }));

async function theMainJob({ story, standIn }: Stage, agent: Client, key: string): Promise<string> {
  story.chapter('2. An agent calls a tool');
  const result = await search(agent, 'sallyport');
  story.show('the agent gets', printable(result.replaceAll(/\s+/g, ' ')).slice(0, 110));
  story.claim('the tool works, through the gateway, in a cell', result.includes('castle/sallyport'));
  story.claim(
    'the API got the real key',
    standIn.authorizations.at(-1)?.endsWith(` ${key}`) === true,
    `Authorization: …${key.slice(-4)}`,
  );
  const environment = serverEnvironment('mcp-server-github');
  const placeholder = new RegExp(`^${SLOT}=(.*)$`, 'm').exec(environment)?.[1] ?? '';
  story.show("the server's /proc/self/environ", `${SLOT}=${printable(placeholder)}`);
  story.claim(
    'the server itself holds a placeholder of the same shape, not the key',
    /^ghp_[A-Za-z0-9]{36}$/.test(placeholder) && !environment.includes(key),
  );
  return placeholder;
}

/** The environment, as the kernel keeps it, of the one process below this one whose command line holds `words`. */
function serverEnvironment(words: string): string {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [program = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (!program.endsWith('node') || !script.includes(words) || !isBelow(pid)) continue;
      return readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', '\n');
    } catch {
      // Gone meanwhile, or not ours to read.
    }
  }
  return '';
}

/** Whether this process is an ancestor of that one. */
function isBelow(pid: string): boolean {
  for (let current = pid; current !== '0' && current !== ''; ) {
    if (current === String(process.pid)) return true;
    current = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${current}/status`, 'utf8'))?.[1] ?? '';
  }
  return false;
}

async function reflection(
  { story, standIn }: Stage,
  agent: Client,
  key: string,
  placeholder: string,
): Promise<void> {
  story.chapter('3. The API sends the key back, in a description');
  const result = await search(agent, 'reflection');
  const line = /you sent me [^"]*/.exec(result)?.[0] ?? '';
  story.show('the agent gets', printable(line));
  story.claim(
    'the key is masked before anybody sees it',
    standIn.authorizations.at(-1)?.includes(key) === true &&
      !result.includes(key) &&
      line.includes(placeholder),
  );
}

async function hostileServer({ story, folder, operator, standIn }: Stage, key: string): Promise<void> {
  story.chapter('4. A hostile server, in the same kind of cell');
  await addHostile(folder, operator);
  await operator.setSecret('hostile', SLOT, key);
  const attempt = async (tool: string): Promise<string> =>
    textOf(JSON.parse(await operator.call('hostile', tool, '{}', undefined)));
  const allowed = await attempt('allowed_host');
  story.claim('control: the host that its manifest names answers', allowed === '200', `HTTP ${allowed}`);
  const other = await attempt('other_host');
  story.claim('another host does not even have a name', other === 'ENOTFOUND', other);
  const [v4 = '', , v6 = ''] = (await attempt('raw_address')).split(' ');
  const tls = await attempt('tls_to_address');
  story.claim(
    'a raw address leads nowhere, IPv4 or IPv6',
    v4 === 'ECONNREFUSED' && v6 === 'ECONNREFUSED' && tls === 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
    `${v4}; on 443 it is Sallyport that answers, with ${tls}`,
  );
  const dns = await attempt('dns');
  story.claim('DNS to a public resolver carries nothing out', dns === 'NXDOMAIN', dns);
  const before = standIn.authorizations.length;
  const misplaced = await attempt('misplace');
  story.show('what it was told', printable(misplaced).slice(0, 160));
  story.claim(
    'the placeholder in a body is refused, and nothing is sent',
    misplaced.startsWith('403 ') && standIn.authorizations.length === before,
  );
  const loot = await attempt('loot');
  story.claim(
    'the key is nowhere in its environment, its processes, or its files',
    loot.length > 100 && loot.includes(SLOT) && !loot.includes(key),
    `${loot.length} characters searched`,
  );
  const types = new Set<unknown>();
  for await (const event of operator.audit({ last: 1_000 }))
    if (event['server'] === 'hostile') types.add(event['type']);
  story.claim('the audit log has the refusals', types.has('dns.refused') && types.has('credential.refused'));
}

async function addHostile(folder: string, operator: ApiClient): Promise<void> {
  const scripts = join(folder, 'hostile');
  mkdirSync(scripts);
  // This file's own extension: `.js` when built, `.ts` when Node runs the sources.
  const script = `hostile${extname(import.meta.url)}`;
  copyFileSync(new URL(script, import.meta.url), join(scripts, script));
  const manifest = {
    schemaVersion: 2,
    name: 'hostile',
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', `/demo/${script}`],
      files: [{ host: scripts, cell: '/demo', write: false }],
    },
    egress: [{ host: API_HOST }],
    credentials: [
      {
        name: SLOT,
        tier: 'sealed',
        env: SLOT,
        placeholder: 'ghp_{alnum:36}',
        hosts: [API_HOST],
        inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
      },
    ],
    tools: { default: ['allowed_host'] },
  };
  await operator.addServer({ source: 'hostile.json', manifest: JSON.stringify(manifest) }, () => undefined);
}

async function rotation({ story, operator, standIn }: Stage, agent: Client, old: string): Promise<void> {
  story.chapter('5. The key is rotated');
  const fresh = inventKey();
  await operator.setSecret('github', SLOT, fresh);
  await search(agent, 'sallyport');
  const seen = standIn.authorizations.at(-1) ?? '';
  story.claim(
    'the very next call uses the new one, without a restart',
    seen.endsWith(` ${fresh}`) && !seen.includes(old),
  );
  const { from, to } = await operator.rotateKeys();
  await search(agent, 'sallyport');
  story.claim(
    'the master key is rotated under the running gateway',
    from !== to && standIn.authorizations.at(-1)?.endsWith(` ${fresh}`) === true,
    `${from} → ${to}`,
  );
}

async function killed({ story, operator, standIn }: Stage, agent: Client): Promise<void> {
  story.chapter('6. The kill switch');
  await operator.kill('all', '', 'demo');
  const before = standIn.authorizations.length;
  const refusal = await search(agent, 'sallyport').then(
    (text) => text,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  story.show('the agent is told', printable(refusal).slice(0, 160));
  const { cells } = await operator.status();
  story.claim(
    'calls are refused and every cell is gone',
    /kill switch|stopped/i.test(refusal) && standIn.authorizations.length === before && cells.length === 0,
  );
  await operator.resume('all', '');
  story.claim(
    'and work again after it is lifted',
    (await search(agent, 'sallyport')).includes('castle/sallyport'),
  );
}

async function theRecord({ story, operator, config }: Stage, key: string): Promise<void> {
  story.chapter('7. The record');
  const report = await operator.verifyAudit();
  story.claim('the audit log is whole: every event in its place', report.ok, `${report.events} events`);
  const exported: string[] = [];
  for await (const event of operator.audit({ from: 1 })) exported.push(JSON.stringify(event));
  const { database } = homeFiles(config.home);
  const stored = [database, `${database}-wal`].map((file) => readFileSync(file, { flag: 'a+' }));
  story.claim(
    'the key is in no event and in no byte of the database',
    !exported.join('\n').includes(key) && stored.every((bytes) => !bytes.includes(key)),
    `${exported.length} events searched`,
  );
}
