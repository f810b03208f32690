/** `sallyport run`: any command in a cell. */
import type { Command } from 'commander';
import { type AppError, isAppError, toWire } from '../../kernel/index.ts';
import { listOption, local, repeated, textOption } from '../command.ts';
import { CommandFailed } from '../failed.ts';
import type { CliHost } from '../host.ts';
import { printable, renderError } from '../output.ts';

/** As shells and `env` have them, so that they are not taken for the command's own. */
const NOT_RUN = 125;
const CODES: Readonly<Record<string, number>> = { run_program_hidden: 126, run_program_unknown: 127 };

const KEPT = `
Where .git/hooks, .git/config, .vscode, .envrc, .claude and the like are there,
they are read-only: programs outside of the cell run what is in them. Those that
a command makes are named when it has ended. Nothing else of what it writes is
kept from it: look at it before you run it (docs/run.md).`;

export function runCommand(host: CliHost, program: Command): void {
  const run = program
    .command('run')
    .description(
      'run a command in a cell: it sees placeholders instead of keys, this folder, and the hosts of a profile',
    )
    .argument('<command...>', 'program and arguments, best after --')
    .option('--profile <profile>', 'whose servers say what it may reach, and with which keys', 'default')
    .option('--host <host>', 'further host that it may reach, HOST or HOST:PORT (repeatable)', repeated)
    .option('--ro', 'the current folder is read-only')
    .option('--mount <dir>', 'further folder that it sees, DIR, or DIR:rw to write (repeatable)', repeated)
    .option(
      '--allow-hooks',
      'it may also write what git, editors and agents run from these folders: .git/hooks and the like',
    )
    .addHelpText('after', KEPT)
    // What comes behind the program's name is the program's.
    .passThroughOptions();
  local(host, run, async (_, out, args, options) => {
    const code = await host
      .run({
        profile: textOption(options, 'profile') ?? 'default',
        hosts: listOption(options, 'host'),
        readOnly: options['ro'] === true,
        mounts: listOption(options, 'mount'),
        allowHooks: options['allowHooks'] === true,
        command: args.filter((word) => word !== undefined),
        // Also where a machine reads: stderr is the command's as well, and nothing else tells of it.
        note: (text) => void host.stderr.write(`sallyport: ${printable(text)}\n`),
      })
      .catch((error: unknown) => {
        if (!isAppError(error)) throw error;
        if (out.json) out.show({ error: toWire(error) }, () => '');
        else host.stderr.write(`${renderError(error)}\n`);
        return codeOf(error);
      });
    if (code !== 0) throw new CommandFailed(code);
  });
}

const codeOf = ({ code, kind }: AppError): number => CODES[code] ?? (kind === 'invalid' ? 2 : NOT_RUN);
