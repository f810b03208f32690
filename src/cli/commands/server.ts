/** `sallyport server …` */
import type { Command } from 'commander';
import type { LogLineView, ProfileView } from '../../api/index.ts';
import { connected, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { printable, printableJson, table, when } from '../output.ts';
import { consentCommand } from './consent.ts';
import { fromOption, packageChoices, packageOptions } from './package-options.ts';
import { planText } from './plan.ts';
import { probeCommand } from './probe.ts';
import { loginCommands, loginText } from './login.ts';
import { addCommand } from './server-add.ts';
import { hostsText, secretsText, serverText, stateOf, upgradedText } from './server-text.ts';

export function serverCommands(host: CliHost, program: Command): void {
  const server = program.command('server').description('MCP servers that the gateway runs');

  addCommand(host, server);
  loginCommands(host, server);

  connected(host, server.command('list').description('list the servers'), async ({ client, out }) => {
    const servers = await client.servers();
    out.show(servers, () =>
      servers.length === 0
        ? 'No servers yet. Add one: sallyport server add github'
        : table(
            ['NAME', 'VERSION', 'STATE', 'CELLS', 'SECRETS', 'HOSTS'],
            servers.map((one) => [
              one.slug,
              one.version,
              stateOf(one),
              String(one.cells),
              secretsText(one),
              hostsText(one),
            ]),
          ),
    );
  });

  connected(
    host,
    server
      .command('show')
      .description('show one server')
      .argument('<server>')
      .option(
        '--plan',
        'what starting it would do: mounts, environment, limits, command lines; nothing is started',
      ),
    async ({ client, out }, [slug = ''], options) => {
      if (options['plan'] === true) {
        const plan = await client.planServer(slug);
        return out.show(plan, () => planText(plan));
      }
      const one = await client.server(slug);
      const login = one.kind === 'remote' && !out.json ? `\n${loginText(await client.login(slug))}` : '';
      out.show(one, () => serverText(one) + login);
    },
  );

  connected(
    host,
    server
      .command('tools')
      .description("list the server's tools, starting it if need be")
      .argument('<server>'),
    async ({ client, out }, [slug = '']) => {
      const text = await client.tools(slug);
      if (out.json) return out.line(text);
      const shown = {
        byDefault: (await client.server(slug)).defaultTools,
        profiles: await client.profiles(),
      };
      out.line(table(['TOOL', 'SHOWN IN', 'WHAT IT DOES'], toolRows(slug, text, shown)));
      out.note(
        `\nTools with "-" are hidden until a profile names them: sallyport profile set default --server ${slug}:TOOL,TOOL (or '${slug}:*')`,
      );
    },
  );

  connected(
    host,
    server
      .command('logs')
      .description('what the server wrote to stderr')
      .argument('<server>')
      .option('-f, --follow', 'go on as it writes'),
    async ({ client, out }, [slug = ''], options) => {
      for await (const line of client.logs(slug, options['follow'] === true))
        out.line(out.json ? printableJson(line) : logText(line));
    },
  );

  probeCommand(host, server);
  consentCommand(host, server);

  for (const [verb, enabled, what] of [
    ['enable', true, 'let the server be used'],
    ['disable', false, 'refuse every use of the server, and end its cells'],
  ] as const) {
    connected(
      host,
      server.command(verb).description(what).argument('<server>'),
      async ({ client, out }, [slug = '']) => {
        const one = await client.enableServer(slug, enabled);
        out.show(one, () => `${slug} is ${verb}d.`);
      },
    );
  }

  connected(
    host,
    packageOptions(
      server
        .command('upgrade')
        .description('install another version of the package')
        .argument('<server>')
        .option('--to <version>', 'exact version; the newest otherwise'),
    ).option(
      '--accept',
      'take what is held back otherwise: new install scripts, other bytes of the same version',
    ),
    async ({ client, out, tell }, [slug = ''], options) => {
      const before = await client.server(slug);
      const to = textOption(options, 'to');
      const after = await client.upgradeServer(
        slug,
        {
          ...(to === undefined ? {} : { to }),
          ...packageChoices(options),
          ...(options['accept'] === true ? { accept: true } : {}),
        },
        tell,
      );
      out.show(after, () => upgradedText(before, after));
    },
  );

  connected(
    host,
    fromOption(
      server
        .command('reinstall')
        .description('install the very same package again, from its lockfile')
        .argument('<server>'),
    ),
    async ({ client, out, tell }, [slug = ''], options) => {
      const one = await client.reinstallServer(slug, packageChoices(options), tell);
      out.show(
        one,
        () =>
          `${slug}: ${printable(one.package?.spec ?? one.version)} is installed again, the same as before.`,
      );
    },
  );

  connected(
    host,
    server.command('remove').description('remove the server and its secrets').argument('<server>'),
    async ({ client, out }, [slug = '']) => {
      await client.removeServer(slug);
      out.show({ removed: slug }, () => `${slug} and its secrets are removed.`);
    },
  );
}

/** The cell's end of its name tells lines of two cells apart; a `*` marks what the server did not say itself. */
const logText = ({ at, cell, from, text }: LogLineView): string =>
  `${when(at)} ${cell.slice(-6)} ${from === 'server' ? '|' : '*'} ${printable(text)}`;

/** @param shown names of the default tools; null: those that say that they only read */
/** Which tools are shown where. */
interface Shown {
  /** The manifest's choice; null: those that say that they only read. */
  readonly byDefault: readonly string[] | null;
  readonly profiles: readonly ProfileView[];
}

function toolRows(slug: string, listText: string, { byDefault, profiles }: Shown): string[][] {
  const tools: unknown = JSON.parse(listText);
  return (Array.isArray(tools) ? tools : []).map((tool: unknown) => {
    const { name, description, annotations } = record(tool);
    const isDefault =
      byDefault === null ? record(annotations)['readOnlyHint'] === true : byDefault.includes(String(name));
    const where = profiles.filter(({ entries }) =>
      entries.some(
        ({ server, tools: chosen }) =>
          server === slug &&
          (chosen === '*' || (chosen === null ? isDefault : chosen.includes(String(name)))),
      ),
    );
    const [line = ''] = typeof description === 'string' ? description.split('\n', 1) : [];
    return [String(name), where.map((one) => one.name).join(', ') || '-', printable(line).slice(0, 80)];
  });
}

/** What a server wrote may have any shape. */
const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
