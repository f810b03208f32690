/** The frame of every command: options that all share, a connection that is always closed, progress. */
import type { Command } from 'commander';
import type { ApiClient } from '../api/index.ts';
import { CommandFailed } from './failed.ts';
import type { CliHost } from './host.ts';
import { createOutput, type Output } from './output.ts';
import { createProgress } from './progress.ts';

interface Run {
  readonly host: CliHost;
  readonly client: ApiClient;
  readonly out: Output;
  /** Told what long work is at; see progress.ts. */
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

/** What a shell says of a program that ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * A command that speaks to the gateway, or to the store where none runs. Ctrl-C ends it in order: what is open is
 * closed. Only a command that follows something has then done its work.
 */
export function connected(host: CliHost, command: Command, action: Action): void {
  local(host, command, async (_, out, args, options) => {
    const interrupt = Promise.withResolvers<'interrupted'>();
    const stopListening = host.onInterrupt(() => interrupt.resolve('interrupted'));
    try {
      const connection = await host.connect();
      const progress = createProgress(host, out);
      try {
        const run = {
          host,
          client: connection.client,
          out,
          tell: (message: string) => progress.tell(message),
        };
        const ended = await Promise.race([action(run, args, options), interrupt.promise]);
        if (ended !== 'interrupted') return;
        if (host.stderr.isTTY === true) host.stderr.write('\n');
        if (options['follow'] !== true) throw new CommandFailed(INTERRUPTED);
      } finally {
        progress.stop();
        await connection.close();
      }
    } finally {
      stopListening();
    }
  });
}

/** Commander passes the arguments, those of a list as one, then the options, then the command. */
function split(
  command: Command,
  given: readonly unknown[],
): { args: (string | undefined)[]; options: Options } {
  const args = given
    .slice(0, -2)
    .flat()
    .map((value) => (typeof value === 'string' ? value : undefined));
  return { args, options: command.opts() };
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
