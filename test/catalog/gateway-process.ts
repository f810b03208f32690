/** A gateway as users run it: `sallyport serve` in a process of its own, and `sallyport …` beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../src/kernel/index.ts';
import type { StandIn } from './stand-in.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/sallyport.mjs');
const LISTENING = /"url":"(http:\/\/[^"]+)"/;

interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GatewayProcess {
  readonly home: string;
  readonly url: string;
  readonly pid: number;
  /** Runs one command in the same home. `input` goes to its standard input. */
  command(args: readonly string[], input?: string): Promise<CommandResult>;
  /** All that the gateway wrote to its standard streams. */
  output(): string;
  /** Ends it; its home stays. */
  end(): Promise<void>;
  /** Ends it, and has its home removed. */
  stop(): Promise<void>;
}

type Dialled = ReadonlyMap<string, Pick<StandIn, 'authority' | 'caPem'>>;

/**
 * @param dialled stand-ins by the names that they play, `host:port`
 * @param more of sallyport.yaml
 */
export async function startGateway(dialled: Dialled, more: JsonObject = {}): Promise<GatewayProcess> {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-catalog-'));
  // All but settings of another gateway: what npm needs to reach its registry differs from machine to machine.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SALLYPORT_'));
  const env = { ...Object.fromEntries(inherited), SALLYPORT_HOME: home };
  const run = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [PROGRAM, ...args], { env, stdio: 'pipe' });
  const command = (args: readonly string[], input = ''): Promise<CommandResult> => finished(run(args), input);

  const made = await command(['init']);
  if (made.code !== 0) throw new Error(`init failed: ${made.stderr}${made.stdout}`);
  writeConfiguration(home, dialled, more);
  const gateway = run(['serve']);
  let output = '';
  const listening = new Promise<string>((resolve, reject) => {
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      const [, url] = LISTENING.exec(output) ?? [];
      if (url !== undefined) resolve(url);
    };
    gateway.stdout?.on('data', collect);
    gateway.stderr?.on('data', collect);
    gateway.once('exit', (code) => reject(new Error(`the gateway ended with ${code}: ${output}`)));
  });
  const url = await listening;
  async function end(): Promise<void> {
    if (gateway.exitCode !== null || gateway.signalCode !== null) return;
    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
  }
  return {
    home,
    url,
    pid: gateway.pid ?? 0,
    command,
    output: () => output,
    end,
    async stop() {
      await end();
      // A hundred thousand files, where many packages were installed: nobody waits for that.
      spawn('rm', ['-rf', home], { detached: true, stdio: 'ignore' }).unref();
    },
  };
}

function writeConfiguration(home: string, dialled: Dialled, more: JsonObject): void {
  const folder = join(home, 'stand-ins');
  mkdirSync(folder);
  const authorities = [...new Set([...dialled.values()].map(({ caPem }) => caPem))].map((caPem, index) => {
    const file = join(folder, `${index}.pem`);
    writeFileSync(file, caPem);
    return file;
  });
  const settings = {
    ...more,
    listen: '127.0.0.1:0',
    egress: {
      resolve: Object.fromEntries([...dialled].map(([name, standIn]) => [name, standIn.authority])),
      extraCa: authorities,
      allowNetworks: ['127.0.0.0/8'],
    },
  };
  writeFileSync(join(home, 'sallyport.yaml'), JSON.stringify(settings), { mode: 0o600 });
}

async function finished(child: ChildProcess, input: string): Promise<CommandResult> {
  const parts: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (parts.stdout += chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => (parts.stderr += chunk.toString('utf8')));
  child.stdin?.on('error', () => undefined).end(input);
  const [code]: (number | null)[] = await once(child, 'close');
  return { code: code ?? null, ...parts };
}
