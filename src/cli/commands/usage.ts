/** `sallyport usage`: what was called and sent, by whom. */
import type { Command } from 'commander';
import type { UsageView } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, type Options, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { printable, table } from '../output.ts';

export function usageCommands(host: CliHost, program: Command): void {
  connected(
    host,
    program
      .command('usage')
      .description('what was called and sent: how often, how long, how much')
      .option('--by <parts>', 'day, server, tool, agent, actor; several between commas', 'server,tool')
      .option('--since <day>', 'the first day, in UTC; the last seven where it is absent')
      .option('--until <day>', 'the last day')
      .option('--server <server>', 'of one server'),
    async ({ client, out }, _, options) => {
      const [since, until] = [dayOption(options, 'since'), dayOption(options, 'until')];
      const server = textOption(options, 'server');
      const found = await client.usage({
        by: textOption(options, 'by') ?? '',
        ...(since === undefined ? {} : { since }),
        ...(until === undefined ? {} : { until }),
        ...(server === undefined ? {} : { server }),
      });
      out.show(found, () => usageText(found));
    },
  );
}

/** @throws AppError `cli_usage` */
function dayOption(options: Options, name: 'since' | 'until'): string | undefined {
  const text = textOption(options, name);
  if (text === undefined || /^\d{4}-\d{2}-\d{2}$/.test(text)) return text;
  throw new AppError('cli_usage', `--${name}: \`${text}\` is no day.`, {
    kind: 'invalid',
    hint: 'Write it as 2026-11-01. Days are in UTC.',
  });
}

function usageText({ since, until, lines }: UsageView): string {
  if (lines.length === 0) return `Nothing was called or sent from ${since} to ${until}.`;
  const parts = Object.keys(lines[0]?.of ?? {});
  return table(
    [
      ...parts.map((part) => part.toUpperCase()),
      'CALLS',
      'FAILED',
      'DENIED',
      'P50',
      'P95',
      'REQUESTS',
      'SENT',
      'RECEIVED',
    ],
    lines.map((line) => [
      ...Object.values(line.of).map((name) => printable(name ?? '') || '-'),
      String(line.calls),
      String(line.calls - line.ok),
      String(line.denied + line.requestsDenied),
      within(line.p50Ms, line.calls),
      within(line.p95Ms, line.calls),
      String(line.requests),
      bytes(line.requestBytes),
      bytes(line.responseBytes),
    ]),
  );
}

const within = (ms: number | null, calls: number): string =>
  calls === 0 ? '-' : ms === null ? 'longer' : `${ms} ms`;

function bytes(count: number): string {
  if (count < 10_000) return `${count} B`;
  return count < 10_000_000 ? `${Math.round(count / 1_000)} kB` : `${Math.round(count / 1_000_000)} MB`;
}
