/** Command lines run against the API of a temporary home, with what they print kept. */
import { PassThrough, Writable } from 'node:stream';
import { expect } from 'vitest';
import { templateViews } from '../../src/api/index.ts';
import type { CliHost } from '../../src/cli/index.ts';
import { run } from '../../src/cli/index.ts';
import { AppError } from '../../src/kernel/index.ts';
import type { World } from '../api/world.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Terminal {
  /** Runs one command line to its end. */
  run(...argv: string[]): Promise<Ran>;
  /** The same with `--json`, and what it answered: one JSON value on one line, and nothing else anywhere. */
  json(...argv: string[]): Promise<unknown>;
  /** With something on standard input. */
  runWith(input: string, ...argv: string[]): Promise<Ran>;
  /** Presses ctrl-C, as often as somebody listens. */
  interrupt(): void;
  /** What was printed so far by the command that is running. */
  readonly printed: { stdout: string; stderr: string };
  readonly host: { -readonly [Name in keyof CliHost]: CliHost[Name] };
  /** Connections that are open. */
  readonly open: number;
}

export function makeTerminal(world: World, files: Readonly<Record<string, string>> = {}): Terminal {
  const printed = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  let open = 0;
  const sink = (name: keyof typeof printed) =>
    new Writable({
      write(chunk: Buffer, _, done) {
        printed[name] += chunk.toString();
        done();
      },
    });
  const unused = (): never => {
    throw new Error('not asked for here');
  };
  const host: Terminal['host'] = {
    version: '9.9.9',
    home: '/home/of/test',
    stdin: new PassThrough(),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async connect() {
      open += 1;
      return {
        client: world.client,
        running: true,
        close: async () => {
          open -= 1;
        },
      };
    },
    openCallback: unused,
    openBrowser: unused,
    init: async () => ['Made it.'],
    serve: unused,
    stdio: unused,
    run: unused,
    demo: async () => [{ text: 'it holds', held: true, found: 'seen' }],
    doctor: async () => [
      { name: 'one', ok: true, found: 'fine' },
      { name: 'two', ok: false, found: 'not fine', fix: 'mend it' },
    ],
    lint: unused,
    templates: async () => templateViews(),
    async readFile(path) {
      const text = files[path];
      if (text !== undefined) return text;
      throw new AppError('file_unreadable', `${path} cannot be read.`, { kind: 'invalid' });
    },
    async reportUnexpected(error) {
      printed.stderr += `unexpected: ${String(error)}\n`;
    },
  };
  const runWith = async (input: string, ...argv: string[]): Promise<Ran> => {
    Object.assign(printed, { stdout: '', stderr: '' });
    const stdin = new PassThrough();
    stdin.end(input);
    host.stdin = stdin;
    const code = await run(host, argv);
    return { code, ...printed };
  };
  return {
    run: (...argv) => runWith('', ...argv),
    async json(...argv) {
      const ran = await runWith('', ...argv, '--json');
      expect(ran.stderr).toBe('');
      expect(ran.stdout.endsWith('\n')).toBe(true);
      expect(ran.stdout.trimEnd()).not.toContain('\n');
      return JSON.parse(ran.stdout);
    },
    runWith,
    interrupt() {
      for (const listener of listeners) listener();
    },
    printed,
    host,
    get open() {
      return open;
    },
  };
}
