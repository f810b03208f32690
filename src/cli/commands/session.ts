/** `sallyport session …`: what was said in recorded sessions. Nothing is ever called again. */
import type { Command } from 'commander';
import type { ApiClient, RecordingLine, RecordingView, RejudgeReport } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, textOption } from '../command.ts';
import { CommandFailed } from '../failed.ts';
import type { CliHost } from '../host.ts';
import { type Output, printable, printableJson, table, when } from '../output.ts';
import { faultText, lineText, sortedLines } from './session-text.ts';

/** What policy refuses. */
const REFUSED = 3;
const DURATION = /^(\d{1,5})([mhd])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function sessionCommands(host: CliHost, program: Command): void {
  const session = program
    .command('session')
    .description('recorded sessions: what was said, when, and how it ended');

  connected(
    host,
    session
      .command('list')
      .description('list recorded sessions, the latest first')
      .option('--profile <name>', 'of this profile')
      .option('--server <slug>', 'that asked this server')
      .option('--since <time>', 'that went on after this: 2h, 7d, 2026-11-21T09:00:00Z'),
    async ({ client, out }, _, options) => {
      const [profile, server] = [textOption(options, 'profile'), textOption(options, 'server')];
      const since = textOption(options, 'since');
      const found = await client.recordings({
        ...(profile === undefined ? {} : { profile }),
        ...(server === undefined ? {} : { server }),
        ...(since === undefined ? {} : { since: sinceOf(since) }),
      });
      out.show(found, () => listText(found));
    },
  );

  connected(
    host,
    session
      .command('show')
      .description('what was said in a session, with the requests that its calls led to')
      .argument('<id>'),
    async ({ client, out }, [id = '']) => {
      const about = await client.recording(id);
      const { lines, checked } = await readWhole(client, id, 'show');
      out.show({ ...about, lines, checked }, () =>
        [headText(about), '', ...lines.map(lineText), '', checkedText(out, checked)].join('\n'),
      );
      if (checked.faults.length > 0) throw new CommandFailed(1);
    },
  );

  connected(
    host,
    session
      .command('replay')
      .description('play a session as it went; or say what rules would make of it. Nothing is called')
      .argument('<id>')
      .option('--speed <n>', 'so many times as fast; 0: without a pause', '1')
      .option(
        '--against [file]',
        'hold its requests against these rules; without a file, those that hold now',
      ),
    async ({ client, out }, [id = ''], options) => {
      const against = options['against'];
      if (against === undefined) return play(client, out, id, speedOf(textOption(options, 'speed') ?? '1'));
      const text = typeof against === 'string' ? await host.readFile(against) : null;
      const report = await client.rejudgeRecording(id, text);
      out.show(report, () => reportText(out, report));
      if (report.faults.length > 0) throw new CommandFailed(1);
      if (report.refused > 0) throw new CommandFailed(REFUSED);
    },
  );

  connected(
    host,
    session
      .command('export')
      .description('print a session as JSON Lines; the last line says what was checked')
      .argument('<id>')
      .option('--format <format>', 'jsonl', 'jsonl'),
    async ({ client, out }, [id = ''], options) => {
      if (textOption(options, 'format') !== 'jsonl') throw usage('The only format is jsonl.');
      let faults = 0;
      for await (const line of client.recordingLines(id, 'export')) {
        if (line.kind === 'checked') faults = line.faults.length;
        out.line(printableJson(line));
      }
      if (faults > 0) throw new CommandFailed(1);
    },
  );

  connected(
    host,
    session.command('delete').description('delete the recording of a session').argument('<id>'),
    async ({ client, out }, [id = '']) => {
      await client.deleteRecording(id);
      out.show({ deleted: id }, () => `The recording ${id} is deleted.`);
    },
  );
}

type Checked = Extract<RecordingLine, { kind: 'checked' }>;

/** In the order in which it was said. */
async function readWhole(
  client: ApiClient,
  id: string,
  purpose: 'show' | 'replay',
): Promise<{ readonly lines: readonly RecordingLine[]; readonly checked: Checked }> {
  const lines: RecordingLine[] = [];
  let checked: Checked = { kind: 'checked', end: 'missing', faults: [] };
  for await (const line of client.recordingLines(id, purpose)) {
    if (line.kind === 'checked') checked = line;
    else lines.push(line);
  }
  return { lines: sortedLines(lines), checked };
}

/** A pause in which nothing was said for long is made shorter: nobody watches it. */
const PAUSE_MS_MAX = 5_000;

async function play(client: ApiClient, out: Output, id: string, speed: number): Promise<void> {
  const { lines, checked } = await readWhole(client, id, 'replay');
  let before = 0;
  for (const line of lines) {
    const at = 'ms' in line ? line.ms : before;
    if (speed > 0) await pause(Math.min(PAUSE_MS_MAX, Math.max(0, at - before) / speed));
    before = at;
    out.line(out.json ? printableJson(line) : lineText(line));
  }
  out.line(out.json ? printableJson(checked) : checkedText(out, checked));
  if (checked.faults.length > 0) throw new CommandFailed(1);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const listText = (found: readonly RecordingView[]): string =>
  found.length === 0
    ? 'Nothing was recorded. See `sallyport profile set PROFILE --record LEVEL`.'
    : table(
        ['SESSION', 'BEGAN', 'PROFILE', 'AGENT', 'SERVERS', 'CALLS', 'SIZE', 'STATE'],
        found.map((one) => [
          one.id,
          when(one.startedAt),
          one.profile ?? 'local',
          one.agent,
          one.servers.join(', ') || '-',
          String(one.calls),
          sizeText(one.bytes),
          stateText(one),
        ]),
      );

const sizeText = (bytes: number): string =>
  bytes < 1_048_576 ? `${Math.ceil(bytes / 1_024)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;

const stateText = ({ endedAt, isGrowing }: RecordingView): string =>
  endedAt === null ? (isGrowing ? 'goes on' : 'no end') : 'ended';

const headText = (one: RecordingView): string =>
  [
    `${one.id}: ${one.profile === null ? 'the local operator' : `profile ${one.profile}`}, agent ${printable(one.agent)}, ${one.actor}`,
    `began ${when(one.startedAt)}, last heard of ${when(one.updatedAt)}, ${stateText(one)}`,
    `${one.calls} calls, ${one.entries} entries${one.dropped === 0 ? '' : `, ${one.dropped} messages lost`}`,
  ].join('\n');

function checkedText(out: Output, { end, faults }: Checked): string {
  if (faults.length > 0)
    return [out.paint('red', '✘ It is not what was recorded:'), ...faults.map(faultText)].join('\n');
  if (end === 'there') return out.paint('green', '✔ It is whole, and nothing was changed.');
  return end === 'not_yet'
    ? 'It still goes on; what is there was not changed.'
    : 'Its end is missing: its gateway was ended, or another one still adds to it. What is there was not changed.';
}

function reportText(out: Output, { requests, changed, unsure, refused, faults }: RejudgeReport): string {
  const different = requests.filter((one) => one.unsure !== null || one.before !== one.after);
  const rows = different.map((one) => [
    `${(one.ms / 1_000).toFixed(3)} s`,
    one.server,
    one.name,
    one.before,
    one.unsure === null ? one.after : `${one.after}?`,
    one.rule ?? 'default',
    one.unsure === null ? '' : WHY[one.unsure],
  ]);
  return [
    ...(rows.length === 0 ? [] : [table(['AT', 'SERVER', 'NAME', 'WAS', 'WOULD BE', 'RULE', ''], rows), '']),
    `${requests.length} requests: ${changed} would be decided otherwise, ${unsure} cannot be told.`,
    ...(refused === 0
      ? []
      : [out.paint('red', `${refused} that went to their servers would not have without more ado.`)]),
    ...faults.map(faultText),
  ].join('\n');
}

const WHY = {
  arguments_not_recorded: 'its arguments were not recorded, and a rule asks for them',
  arguments_masked: 'its arguments were masked, and a rule asks for them',
  limits_of_others: 'a limit had no room for it, and what others did then is not in here',
  usage_not_recorded: 'nobody counted its calls, and a rule asks for their number',
} as const;

function sinceOf(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count !== undefined && (unit === 'm' || unit === 'h' || unit === 'd'))
    return Math.max(0, Date.now() - Number(count) * UNIT_MS[unit]);
  const at = Date.parse(text);
  if (Number.isNaN(at) || at < 0) throw usage(`\`${text}\` is neither a duration such as 2h nor a time.`);
  return at;
}

function speedOf(text: string): number {
  const speed = Number(text);
  if (text !== '' && Number.isFinite(speed) && speed >= 0) return speed;
  throw usage(`\`${text}\` is no speed such as 1, 10 or 0.`);
}

const usage = (message: string): AppError => new AppError('cli_usage', message, { kind: 'invalid' });
