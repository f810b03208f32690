/** A value that is to be kept: on the command line, from standard input, or typed without a trace. */
import { isCancel, password } from '@clack/prompts';
import { AppError, limits } from '../kernel/index.ts';
import type { CliHost } from './host.ts';

export interface SecretInput {
  /** As an argument; absent: it was none. */
  readonly given: string | undefined;
  readonly fromStdin: boolean;
  /** What is asked for. */
  readonly message: string;
  /** The command that sets it, without where the value is from. */
  readonly command: string;
}

/** @throws AppError `cli_usage`, `secret_too_long`, `secret_empty`, `secret_value_needed`, `cancelled` */
export async function secretText(host: CliHost, input: SecretInput): Promise<string> {
  return input.given ?? (await (input.fromStdin ? readAll(host, input) : ask(host, input)));
}

/** Before anything is looked up for it. @throws AppError `cli_usage` */
export function oneSource({ given, fromStdin }: Pick<SecretInput, 'given' | 'fromStdin'>): void {
  if (given !== undefined && fromStdin)
    throw new AppError('cli_usage', 'Give the value or --stdin, not both.', { kind: 'invalid' });
}

async function readAll(host: CliHost, { command }: SecretInput): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of host.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > limits.secretBytesMax) {
      throw new AppError('secret_too_long', `The value is longer than ${limits.secretBytesMax} bytes.`, {
        kind: 'invalid',
      });
    }
    chunks.push(bytes);
  }
  const value = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (value === '')
    throw new AppError('secret_empty', 'Standard input held no value.', {
      kind: 'invalid',
      hint: `printf '%s' VALUE | ${command} --stdin`,
    });
  return value;
}

async function ask(host: CliHost, { message, command }: SecretInput): Promise<string> {
  if (host.stdin.isTTY !== true) {
    throw new AppError('secret_value_needed', 'There is no terminal to ask for the value.', {
      kind: 'invalid',
      hint: `Pipe it in: ${command} --stdin`,
    });
  }
  const value = await password({
    message,
    output: host.stderr,
    // Not even how long it is.
    mask: '',
    validate: (text) => (text ? undefined : 'Type or paste a value.'),
  });
  if (isCancel(value)) throw new AppError('cancelled', 'Cancelled; nothing was changed.', { kind: 'failed' });
  return value;
}
