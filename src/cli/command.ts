/** The frame of every command: options that all share, a connection that is always closed, progress. */
import { spinner } from '@clack/prompts';
import type { Command } from 'commander';
import type { ApiClient } from '../api/index.ts';
import type { CliHost } from './host.ts';
import { createOutput, type Output, printable } from './output.ts';

export interface Run {
  readonly host: CliHost;
  readonly client: ApiClient;
  readonly out: Output;
  /** Told what long work is at; shown as a spinner at a terminal, as lines elsewhere, not at all with `--json`. */
  readonly tell: (message: string) => void;
}

/** Values of a command's options as commander gives them. */
export type Options = Readonly<Record<string, unknown>>;

type Action = (run: Run, args: readonly (string | undefined)[], options: Options) => Promise<void>;
type LocalAction = (
  host: CliHost,
  out: Output,
  args: readonly (string | undefined)[],
  options: Options,
) => Promise<void>;

/** A command that needs no store. */
export function local(host: CliHost, command: Command, action: LocalAction): void {
  command.option('--json', 'print JSON').action(async (...given: unknown[]) => {
    const { args, options } = split(command, given);
    await action(host, createOutput(host, options['json'] === true), args, options);
  });
}

/** A command that speaks to the gateway, or to the store where none runs. */
export function connected(host: CliHost, command: Command, action: Action): void {
  local(host, command, async (_, out, args, options) => {
    const connection = await host.connect();
    const progress = createProgress(host, out);
    try {
      await action({ host, client: connection.client, out, tell: progress.tell }, args, options);
    } finally {
      progress.stop();
      await connection.close();
    }
  });
}

/** Commander passes the arguments, then the options, then the command. */
function split(
  command: Command,
  given: readonly unknown[],
): { args: (string | undefined)[]; options: Options } {
  const args = given.slice(0, -2).map((value) => (typeof value === 'string' ? value : undefined));
  return { args, options: command.opts() };
}

function createProgress(host: CliHost, out: Output): { tell: (message: string) => void; stop: () => void } {
  if (out.json) return { tell() {}, stop() {} };
  if (host.stderr.isTTY !== true) return { tell: eachStep(out), stop() {} };
  const indicator = spinner({ output: host.stderr });
  let spinning = false;
  return {
    tell(message) {
      if (spinning) indicator.message(printable(message));
      else indicator.start(printable(message));
      spinning = true;
    },
    stop() {
      if (spinning) indicator.clear();
    },
  };
}

/** Where there is no terminal: a line for each step, not for each count within one (`fetching x: 12 downloads`). */
function eachStep(out: Output): (message: string) => void {
  let before = '';
  return (message) => {
    const step = message.split(': ', 1)[0] ?? message;
    if (step !== before) out.note(printable(step));
    before = step;
  };
}

/** Collects an option that may be given several times. */
export const repeated = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

export const textOption = (options: Options, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};

export const listOption = (options: Options, name: string): readonly string[] => {
  const value = options[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
};
