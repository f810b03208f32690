/** `sallyport server probe`, and how its report is shown. */
import type { Command } from 'commander';
import type { ProbeView, ServerView } from '../../api/index.ts';
import { connected, listOption, repeated, textOption } from '../command.ts';
import { CommandFailed } from '../failed.ts';
import type { CliHost } from '../host.ts';
import { table, when } from '../output.ts';

type Entry = ProbeView['probes'][number];

/** Exit code when a host could not be asked: what was wanted is not known. That a value came back is a finding, and 0. */
const NOT_ALL_KNOWN = 1;

export function probeCommand(host: CliHost, server: Command): void {
  connected(
    host,
    server
      .command('probe')
      .description(
        "find out, with random values in place of secrets, which of the server's hosts send them back",
      )
      .argument('<server>')
      .option('--path <path>', 'path to ask for; otherwise the first one that the rules allow')
      .option('--host <host>', 'host below a wildcard to ask too (repeatable)', repeated)
      .option('--post', 'make requests with a body too: POST, PUT or PATCH'),
    async ({ client, out, tell }, [slug = ''], options) => {
      const path = textOption(options, 'path');
      const hosts = listOption(options, 'host');
      const found = await client.probeServer(
        slug,
        {
          ...(path === undefined ? {} : { path }),
          ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
          ...(options['post'] === true ? { post: true } : {}),
        },
        tell,
      );
      out.show(found, () =>
        found.probes.length === 0 ? NOTHING_TO_ASK : `${summary(found)}.\n\n${probeTable(found)}`,
      );
      if (found.probes.some(sendsBack))
        out.note(
          '\nIn answers to the server, secrets are masked. Whoever else sees those answers sees them as they are.',
        );
      if (found.probes.some(({ outcome }) => outcome === 'failed')) throw new CommandFailed(NOT_ALL_KNOWN);
    },
  );
}

const NOTHING_TO_ASK = 'There is nothing to ask: no sealed secret of this server goes to any host.';

const sendsBack = ({ echoed }: Entry): boolean => echoed.length > 0;

/** The last probe in one line, for `server show`. */
export function lastProbeText({ slug, probe, manifestHash }: ServerView): string {
  if (probe === null) return `never: sallyport server probe ${slug}`;
  const changed = probe.manifestHash === manifestHash ? '' : ', before the manifest was changed';
  return `${when(probe.at)}${changed}: ${probe.probes.length === 0 ? 'nothing to ask' : summary(probe)}`;
}

function summary({ probes }: ProbeView): string {
  const asked = probes.filter(({ outcome }) => outcome !== 'skipped');
  const back = asked.filter(sendsBack).length;
  const unknown = asked.filter((entry) => entry.outcome === 'failed' && !sendsBack(entry)).length;
  const parts: (readonly [number, string])[] = [
    [back, 'sent the value back'],
    [unknown, 'gave no answer that could be searched'],
    [asked.length - back - unknown, 'sent nothing back'],
  ];
  const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const skipped = probes.length - asked.length;
  return [`${asked.length} asked`, ...said, ...(skipped === 0 ? [] : [`${skipped} not asked`])].join(', ');
}

/** One row for each secret, host and place. */
export function probeTable({ probes }: ProbeView): string {
  return table(
    ['HOST', 'SECRET', 'PLACE', 'ASKED', 'STATUS', 'CAME BACK'],
    probes.map((entry) => [
      `${entry.host}:${entry.port}`,
      entry.credential,
      entry.place,
      entry.method === null ? '-' : `${entry.method} ${entry.path ?? ''}`,
      entry.status === null ? '-' : String(entry.status),
      finding(entry),
    ]),
  );
}

function finding(entry: Entry): string {
  const { outcome, echoed, truncated, code, reason } = entry;
  const places = echoed.map(({ where, encoding }) => `${where} (${encoding})`).join(', ');
  if (outcome === 'skipped') return `not asked: ${reason ?? code ?? ''}`;
  if (outcome === 'failed') {
    const why = `${reason ?? ''} (${code ?? ''})`;
    return places === '' ? `unknown: ${why}` : `${places}; the rest is unknown: ${why}`;
  }
  const rest = truncated ? '; the end of the answer was not looked at' : '';
  return `${places === '' ? 'no' : places}${rest}`;
}
