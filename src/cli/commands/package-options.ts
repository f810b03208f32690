/** What can be said about a package where one is installed, and what only where it is the whole source of a server. */
import type { Command } from 'commander';
import { resolve } from 'node:path';
import { AppError } from '../../kernel/index.ts';
import { listOption, type Options, repeated, textOption } from '../command.ts';

const PACKAGE_SOURCE = /^(?:npm|pypi):/;

export const fromOption = (command: Command): Command =>
  command.option(
    '--from <path>',
    'archive or folder of archives to install from, in place of the registry (repeatable)',
    repeated,
  );

export const packageOptions = (command: Command): Command =>
  fromOption(
    command.option(
      '--allow-scripts',
      'run the install scripts of the package and its parts, in the install cell',
    ),
  );

export const packageSourceOptions = (command: Command): Command =>
  packageOptions(
    command
      .option('--host <host>', 'host that it may reach, for npm: and pypi: sources (repeatable)', repeated)
      .option('--command <program>', 'program of the package that starts it, for npm: and pypi: sources'),
  );

/** Paths are this process's to resolve: the gateway may run elsewhere. */
export function packageChoices(options: Options): { allowScripts?: true; from?: string[] } {
  const from = listOption(options, 'from').map((path) => resolve(path));
  return {
    ...(options['allowScripts'] === true ? { allowScripts: true } : {}),
    ...(from.length === 0 ? {} : { from }),
  };
}

/** @throws AppError `cli_usage` where the source is another, whose manifest says this */
export function packageSource(source: string, options: Options): { command?: string[]; hosts?: string[] } {
  const hosts = listOption(options, 'host');
  const command = textOption(options, 'command');
  if (!PACKAGE_SOURCE.test(source) && (hosts.length > 0 || command !== undefined)) {
    throw new AppError(
      'cli_usage',
      'Where this server may connect, and what starts it, is said by its manifest.',
      {
        kind: 'invalid',
        hint: '--host and --command are for npm: and pypi: sources. Change the manifest instead: `sallyport catalog show NAME > NAME.yaml` gives one to begin with.',
      },
    );
  }
  return {
    ...(command === undefined ? {} : { command: command.split(' ') }),
    ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
  };
}
