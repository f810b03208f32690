/**
 * The gateway of one team as docs/day-in-the-life.md describes it: its configuration, its rules, its two servers from npm,
 * and the agents that use them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { commandLineOf, descendantsOf, environmentOf } from '../../catalog/cell-processes.ts';
import { type GatewayProcess, startGateway } from '../../catalog/gateway-process.ts';
import { inventKey } from '../../catalog/invent-key.ts';
import { GITHUB, ON_CALL, openOutside, type Outside, SLACK } from './outside.ts';
import { fileOfThePage, settingsOfThePage } from './page.ts';

export const KEY_NAME = 'GITHUB_PERSONAL_ACCESS_TOKEN';

export interface Office {
  readonly outside: Outside;
  readonly gateway: GatewayProcess;
  /** GitHub's, which only the vault has. */
  readonly key: string;
  /** What Slack signs with. */
  readonly slackSecret: string;
  /** What alerts are signed with. */
  readonly onCallSecret: Buffer;
  /** Runs a command that has to succeed. @returns its standard output */
  command(args: readonly string[], input?: string): Promise<string>;
  /** The same, with `--json` and its answer read, whatever its exit code. */
  json<T>(...args: string[]): Promise<T>;
  /** A file that a command is given. @returns its path */
  file(name: string, text: string): string;
  token(agent: string): Promise<string>;
  connect(agent: string): Promise<Client>;
  /** Processes of MCP servers. */
  servers(): readonly { readonly name: string; readonly environment: ReadonlyMap<string, string> }[];
  close(): Promise<void>;
}

export async function openOffice(): Promise<Office> {
  const outside = await openOutside();
  const dialled = new Map([GITHUB, SLACK, ON_CALL].map((host) => [`${host}:443`, outside]));
  const gateway = await startGateway(dialled, settingsOfThePage());
  const [key, slackSecret] = [inventKey('ghp_{alnum:36}'), inventKey('{hex:32}')];
  const onCallSecret = Buffer.from(inventKey('{alnum:32}'));

  const file = (name: string, text: string): string => {
    const path = join(gateway.home, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  async function command(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await gateway.command(args, input);
    if (code !== 0) throw new Error(`sallyport ${args.join(' ')}: ${code} ${stdout}${stderr}`);
    return stdout;
  }
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await gateway.command([...args, '--json'])).stdout) as T;
  const token = async (agent: string): Promise<string> =>
    (await json<{ token: string }>('token', 'create', '--agent', agent)).token;

  file('slack-signing.key', slackSecret);
  file('slack.url', `https://${SLACK}/services/T0ACME/B0ACME/ADDRESSSECRET`);
  file('on-call.key', `whsec_${onCallSecret.toString('base64')}`);
  await command(['server', 'add', 'github']);
  await command(['secret', 'set', 'github', KEY_NAME, '--stdin'], key);
  const notes = ['npm:@modelcontextprotocol/server-memory@2026.8.31', '--name', 'notes'];
  await command(['server', 'add', ...notes, '--env', 'MEMORY_FILE_PATH=/home/cell/notes.jsonl']);
  await command(['profile', 'set', 'default', '--server', 'github:*', '--server', 'notes:*']);
  await command(['policy', 'apply', file('rules.yaml', fileOfThePage('policy.yaml'))]);

  return {
    outside,
    gateway,
    key,
    slackSecret,
    onCallSecret,
    command,
    json,
    file,
    token,
    async connect(agent) {
      const client = new Client({ name: agent, version: '1.0.0' });
      const headers = { authorization: `Bearer ${await token(agent)}` };
      const endpoint = new URL(`${gateway.url}/mcp/default`);
      await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }));
      return client;
    },
    servers: () =>
      descendantsOf(gateway.pid).flatMap((pid) => {
        const [, name] = /\/mcp-server-([a-z]+)/.exec(commandLineOf(pid).toString()) ?? [];
        const environment = environmentOf(pid);
        return name === undefined || environment === null ? [] : [{ name, environment }];
      }),
    async close() {
      await gateway.stop();
      await outside.close();
    },
  };
}

/** What an agent reads after a call: the text of its result, or the message of an error. */
export async function told(client: Client, name: string, args: Record<string, unknown>): Promise<string> {
  try {
    const { content } = await client.callTool({ name, arguments: args });
    return content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
