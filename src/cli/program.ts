/** The command line: parses it, runs one command, answers with an exit code. */
import { Command, CommanderError } from 'commander';
import { isAppError, toWire } from '../kernel/index.ts';
import { profileCommands, tokenCommands } from './commands/access.ts';
import { gatewayCommands } from './commands/gateway.ts';
import {
  auditCommands,
  callCommand,
  catalogCommands,
  keyCommands,
  killCommands,
  manifestCommands,
} from './commands/operate.ts';
import { alertCommands } from './commands/alert.ts';
import { approvalCommands } from './commands/approval.ts';
import { policyCommands } from './commands/policy.ts';
import { proxyCommands } from './commands/proxy.ts';
import { receiverCommands } from './commands/receiver.ts';
import { runCommand } from './commands/run.ts';
import { secretCommands } from './commands/secret.ts';
import { sessionCommands } from './commands/session.ts';
import { serverCommands } from './commands/server.ts';
import { usageCommands } from './commands/usage.ts';
import { CommandFailed } from './failed.ts';
import type { CliHost } from './host.ts';
import { exitCodeOf, printableJson, renderError } from './output.ts';

/**
 * Runs one command line.
 *
 * @param argv the words after the program's name
 * @returns 0 done, 1 failed, 2 bad usage, 3 refused by policy
 */
export async function run(host: CliHost, argv: readonly string[]): Promise<number> {
  const program = new Command('sallyport')
    .description('Lets AI agents use tools without anybody on the untrusted side ever holding a key.')
    .version(host.version, '-V, --version')
    .showHelpAfterError('(add --help for more)')
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      outputError: (text, write) => write(withoutWords(text)),
    })
    .exitOverride();
  const groups = [
    gatewayCommands,
    serverCommands,
    secretCommands,
    profileCommands,
    tokenCommands,
    policyCommands,
    approvalCommands,
    sessionCommands,
    proxyCommands,
    callCommand,
    runCommand,
    auditCommands,
    alertCommands,
    receiverCommands,
    keyCommands,
    killCommands,
    usageCommands,
    manifestCommands,
    catalogCommands,
  ];
  for (const group of groups) group(host, program);
  // Of use to `run` alone, behind whose command nothing is an option of ours; elsewhere options may stand anywhere.
  program.enablePositionalOptions(argv[0] === 'run');
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    return await report(host, argv, error);
  }
}

async function report(host: CliHost, argv: readonly string[], error: unknown): Promise<number> {
  if (error instanceof CommandFailed) return error.exitCode;
  if (error instanceof CommanderError) return usage(host, argv, error);
  if (argv.includes('--json')) host.stdout.write(`${printableJson({ error: toWire(error) })}\n`);
  else host.stderr.write(`${renderError(error)}\n`);
  if (!isAppError(error)) await host.reportUnexpected(error);
  return exitCodeOf(error);
}

/** The parser has said on stderr what is wrong; who asked for JSON gets that too. */
function usage(host: CliHost, argv: readonly string[], error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  if (argv.includes('--json')) {
    const message = withoutWords(error.message).replace(/^error: /, '');
    const hint = 'Add --help for the options.';
    host.stdout.write(`${JSON.stringify({ error: { code: 'cli_usage', message, hint } })}\n`);
  }
  return 2;
}

/** One word too many may be a secret, or come behind one: the parser would repeat them all. */
const withoutWords = (text: string): string => text.replace(/( but got \d+): [^]*?(\.?\n*)$/, '$1$2');
