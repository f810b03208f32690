/** `sallyport call | audit | key | kill | resume | catalog | manifest` */
import type { Command } from 'commander';
import type { KillView } from '../../api/index.ts';
import { AppError, type JsonObject } from '../../kernel/index.ts';
import { connected, local, type Options, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { printable, printableJson, printableLines, table, when } from '../output.ts';
import { CommandFailed } from '../failed.ts';

export function callCommand(host: CliHost, program: Command): void {
  connected(
    host,
    program
      .command('call')
      .description('call a tool')
      .argument('<server>')
      .argument('<tool>')
      .argument('[json]', 'the arguments, a JSON object', '{}')
      .option('--profile <profile>', 'with the tools of this profile; every tool of the server otherwise'),
    async ({ client, out }, [server = '', tool = '', text = '{}'], options) => {
      const result = await client.call(server, tool, objectText(text), textOption(options, 'profile'));
      const { text: shown, failed } = readResult(result);
      out.line(out.json ? result : shown);
      if (!failed) return;
      out.note(`error: the tool \`${printable(tool)}\` reported that it failed; what it said is above.`);
      throw new CommandFailed(1);
    },
  );
}

/** A result for a person. The server may have written anything: whatever is no text block is shown as it is. */
function readResult(json: string): { text: string; failed: boolean } {
  const result: unknown = JSON.parse(json);
  if (!isRecord(result)) return { text: printableLines(json), failed: false };
  const { content, isError } = result;
  const text =
    Array.isArray(content) && content.length > 0 ? content.map(partText).join('\n') : printableLines(json);
  return { text, failed: isError === true };
}

function partText(part: unknown): string {
  if (!isRecord(part)) return printableJson(part);
  if (part['type'] === 'text' && typeof part['text'] === 'string') return printableLines(part['text']);
  return `[${printable(String(part['type']))}]`;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function objectText(text: string): string {
  const hint = `Give a JSON object in quotes, such as '{"query":"sallyport"}'.`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError(
      'call_arguments_malformed',
      `The arguments are not JSON: ${error instanceof Error ? printable(error.message) : ''}.`,
      { kind: 'invalid', hint },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('call_arguments_malformed', 'The arguments are JSON, but not an object.', {
      kind: 'invalid',
      hint,
    });
  }
  return text;
}

export function auditCommands(host: CliHost, program: Command): void {
  const audit = program.command('audit').description('the record of everything that happened');

  connected(
    host,
    audit
      .command('tail')
      .description('the newest events')
      .option('-n, --lines <count>', 'how many', '20')
      .option('-f, --follow', 'go on as they come'),
    async ({ client, out }, _, options) => {
      const last = wholeNumber(textOption(options, 'lines') ?? '20');
      for await (const event of client.audit({ last, follow: options['follow'] === true }))
        out.line(out.json ? printableJson(event) : eventText(event));
    },
  );

  connected(
    host,
    audit
      .command('export')
      .description('every event as JSON Lines')
      .option('--from <sequence>', 'start at this one', '1'),
    async ({ client, out }, _, options) => {
      for await (const event of client.audit({ from: wholeNumber(textOption(options, 'from') ?? '1') }))
        out.line(printableJson(event));
    },
  );

  connected(
    host,
    audit.command('exports').description('where the log goes besides, and how far it came'),
    async ({ client, out }) => {
      const exports = await client.auditExports();
      out.show(exports, () =>
        exports.length === 0
          ? 'None: name some in sallyport.yaml, `audit: { exports: … }`.'
          : table(
              ['NAME', 'KIND', 'LAST', 'BEHIND', 'STATE'],
              exports.map(({ name, kind, sequence, behind, code, failures, failingSince, required }) => [
                name,
                required ? `${kind}, required` : kind,
                String(sequence),
                String(behind),
                code === null ? 'ok' : `${printable(code)} since ${when(failingSince)}, ${failures} times`,
              ]),
            ),
      );
    },
  );

  connected(
    host,
    audit.command('checkpoint').description('sign where the log ends now; keep what is printed elsewhere'),
    async ({ client, out }) => {
      const { workspace, sequence, at, ...rest } = await client.signCheckpoint();
      out.line(printableJson({ sequence, at, workspace, type: 'audit.checkpoint', ...rest }));
    },
  );

  connected(
    host,
    audit
      .command('verify')
      .description('check that nothing was changed, removed, reordered or put back')
      .option('--checkpoint <file>', 'against checkpoints that were kept elsewhere, such as an export'),
    async ({ client, out, host: files }, _, options) => {
      const file = textOption(options, 'checkpoint');
      const report = await client.verifyAudit(
        file === undefined ? undefined : checkpointLines(await files.readFile(file)),
      );
      out.show(report, () =>
        report.ok
          ? `${out.paint('green', '✔')} ${report.events} events, every one in its place.`
          : [
              `${out.paint('red', '✘')} The audit log is not what was recorded:`,
              ...report.problems.map(
                (problem) => `  event ${problem.sequence}: ${printable(problem.message)} (${problem.code})`,
              ),
              ...(report.more ? ['  … and more'] : []),
            ].join('\n'),
      );
      if (!report.ok) throw new CommandFailed(1);
    },
  );
}

/** Of an export only what is a checkpoint is of use, and it may be long. Nothing of the kind is said by who is asked. */
const checkpointLines = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line.includes('"audit.checkpoint"'))
    .join('\n') || '\n';

function eventText(event: JsonObject): string {
  const { sequence, at, type, server, actor, data } = event as unknown as {
    sequence: number;
    at: number;
    type: string;
    server?: string;
    actor: { kind: string; id: string };
    data: JsonObject;
  };
  return [
    String(sequence).padStart(6),
    when(at),
    type.padEnd(18),
    printable(`${actor.kind}:${actor.id}`),
    printable(server ?? '-'),
    printableJson(data),
  ].join('  ');
}

function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text) && text !== '0') return Number(text);
  throw new AppError('cli_number_malformed', `\`${text}\` is not a whole number above zero.`, {
    kind: 'invalid',
  });
}

export function keyCommands(host: CliHost, program: Command): void {
  const key = program.command('key').description('the master key');
  connected(
    host,
    key.command('status').description('which master keys there are'),
    async ({ client, out }) => {
      const status = await client.keys();
      out.show(status, () =>
        [
          table(
            ['KEY', 'STATE', 'WRAPS', 'MADE'],
            status.keys.map((one) => [
              one.id,
              one.current ? 'current' : 'old',
              String(one.wraps),
              when(one.createdAt || null),
            ]),
          ),
          ...status.missing.map(
            (one) =>
              `${out.paint('red', '✘')} ${one.id} is missing, and ${one.wraps} keys are wrapped by it. Restore it from a backup.`,
          ),
        ].join('\n'),
      );
      if (status.missing.length > 0) throw new CommandFailed(1);
    },
  );
  connected(
    host,
    key
      .command('rotate')
      .description('make a new master key and wrap everything under it; safe to interrupt and repeat'),
    async ({ client, out }) => {
      const done = await client.rotateKeys();
      out.show(
        done,
        () =>
          `${out.paint('green', '✔')} Master key ${done.from} → ${done.to}; ${done.rewrapped} keys wrapped anew.`,
      );
    },
  );
}

export function killCommands(host: CliHost, program: Command): void {
  const scoped = (command: Command): Command =>
    command
      .option('--all', 'everything')
      .option('--workspace', 'this workspace')
      .option('--server <server>', 'one server')
      .option('--token <id>', 'one token')
      .option('--user <id>', 'one user')
      .option('--credential <server/name>', 'one credential of a server');

  connected(
    host,
    scoped(program.command('kill').description('refuse new calls, end cells and cut connections, at once'))
      .option('--reason <text>', 'why, for the audit log', '')
      .option('--list', 'show the active switches'),
    async ({ client, out }, _, options) => {
      if (options['list'] === true) {
        const kills = await client.kills();
        return out.show(kills, () =>
          kills.length === 0
            ? 'No kill switch is active.'
            : table(
                ['SCOPE', 'TARGET', 'SINCE', 'BY', 'REASON'],
                kills.map((one) => [one.scope, one.target || '-', when(one.at), one.by, one.reason]),
              ),
        );
      }
      const { scope, target } = scopeOf(options, 'stop');
      const kill = await client.kill(scope, target, textOption(options, 'reason') ?? '');
      out.show(
        kill,
        () =>
          `${out.paint('green', '✔')} Killed: ${scope} ${target}`.trimEnd() +
          `. Undo: sallyport resume ${flagOf(scope, target)}`,
      );
    },
  );

  connected(
    host,
    scoped(program.command('resume').description('lift a kill switch')),
    async ({ client, out }, _, options) => {
      const { scope, target } = scopeOf(options, 'resume');
      await client.resume(scope, target);
      out.show({ resumed: { scope, target } }, () =>
        `${out.paint('green', '✔')} Resumed: ${scope} ${target}`.trimEnd(),
      );
    },
  );
}

const flagOf = (scope: KillView['scope'], target: string): string => `--${scope} ${target}`.trimEnd();

function scopeOf(options: Options, verb: 'stop' | 'resume'): { scope: KillView['scope']; target: string } {
  const given: { scope: KillView['scope']; target: string }[] = [];
  for (const scope of ['all', 'workspace'] as const)
    if (options[scope] === true) given.push({ scope, target: '' });
  for (const scope of ['server', 'token', 'user', 'credential'] as const) {
    const target = textOption(options, scope);
    if (target !== undefined) given.push({ scope, target });
  }
  const [one] = given;
  if (one !== undefined && given.length === 1) return one;
  const problem = one === undefined ? `Say what to ${verb}.` : `Say one thing to ${verb}, not several.`;
  throw new AppError('cli_usage', problem, {
    kind: 'invalid',
    hint: 'One of --all, --workspace, --server NAME, --token ID, --user ID, --credential SERVER/NAME.',
  });
}

export function catalogCommands(host: CliHost, program: Command): void {
  const catalog = program.command('catalog').description('servers that are ready to use');
  connected(
    host,
    catalog.command('search').description('search; all of it without words').argument('[words...]'),
    async ({ client, out }, words) => {
      const found = await client.catalog(words.join(' '));
      out.show(found, () =>
        found.length === 0
          ? 'Nothing found. Any package works too: sallyport server add npm:PACKAGE'
          : table(
              ['NAME', 'TITLE', 'SECRETS', 'HOSTS'],
              found.map((one) => [one.name, one.title, one.secrets.join(', '), one.hosts.join(', ')]),
            ),
      );
    },
  );
  connected(
    host,
    catalog.command('show').description('the manifest of an entry').argument('<name>'),
    async ({ client, out }, [name = '']) => {
      const entry = await client.catalogEntry(name);
      out.show({ name, text: entry.text }, () => entry.text.trimEnd());
    },
  );
}

export function manifestCommands(host: CliHost, program: Command): void {
  const manifest = program.command('manifest').description('files that say what a server may do');
  local(
    host,
    manifest.command('lint').description('check manifests').argument('<files...>'),
    async (_, out, files) => {
      const reports = await host.lint(files.filter((file) => file !== undefined));
      for (const { lines, ...report } of reports) {
        if (out.json) out.line(printableJson(report));
        else if (report.ok)
          out.line([`${out.paint('green', '✔')} ${report.file}  ${report.hash ?? ''}`, ...lines].join('\n'));
        else out.line([`${out.paint('red', '✘')} ${report.file}`, ...lines].join('\n'));
      }
      if (reports.some((report) => !report.ok)) throw new CommandFailed(1);
    },
  );
}
