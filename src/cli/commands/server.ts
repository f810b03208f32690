/** `sallyport server …` */
import type { Command } from 'commander';
import { resolve } from 'node:path';
import type { LogLineView, ServerView, UpgradedView } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, listOption, type Options, repeated, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { type Output, printable, printableJson, table, when } from '../output.ts';
import { planText } from './plan.ts';
import { lastProbeText, probeCommand, probeTable } from './probe.ts';

/** A file's name; never `npm:…` or an address, whatever they end with. */
const FILE_SOURCE = /^(?!(?:npm|pypi|https?):).*(?:\.(?:ya?ml|json)$)|^\.{0,2}\//;

export function serverCommands(host: CliHost, program: Command): void {
  const server = program.command('server').description('MCP servers that the gateway runs');

  connected(
    host,
    server
      .command('add')
      .description(
        'add a server: a catalog name, a manifest file, npm:PACKAGE[@VERSION], or pypi:PACKAGE[==VERSION]',
      )
      .argument('<source>')
      .option('--name <slug>', 'name of the server here')
      .option('--host <host>', 'host that it may reach, for npm: and pypi: sources (repeatable)', repeated)
      .option('--command <program>', 'program of the package that starts it, for npm: and pypi: sources')
      .option('--allow-scripts', 'run the install scripts of the package and its parts, in the install cell')
      .option(
        '--from <path>',
        'archive or folder of archives to install from, in place of the registry (repeatable)',
        repeated,
      )
      .option('--env <NAME=VALUE>', 'plain setting, never a secret (repeatable)', repeated),
    async ({ client, out, tell }, [source = ''], options) => {
      const hosts = listOption(options, 'host');
      const name = textOption(options, 'name');
      const command = textOption(options, 'command');
      const env = settings(listOption(options, 'env'));
      if (!/^(?:npm|pypi):/.test(source) && (hosts.length > 0 || command !== undefined)) {
        throw new AppError(
          'cli_usage',
          'Where this server may connect, and what starts it, is said by its manifest.',
          {
            kind: 'invalid',
            hint: '--host and --command are for npm: and pypi: sources. Change the manifest instead: `sallyport catalog show NAME > NAME.yaml` gives one to begin with.',
          },
        );
      }
      const added = await client.addServer(
        {
          source,
          ...(FILE_SOURCE.test(source) ? { manifest: await host.readFile(source) } : {}),
          ...(name === undefined ? {} : { name }),
          ...(command === undefined ? {} : { command: command.split(' ') }),
          ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
          ...(env === undefined ? {} : { env }),
          ...packageChoices(options),
        },
        tell,
      );
      out.show(added, () => addedText(out, added));
    },
  );

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
      out.show(one, () => serverText(one));
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
      const shown = (await client.server(slug)).defaultTools;
      out.line(table(['TOOL', 'SHOWN', 'WHAT IT DOES'], toolRows(text, shown)));
      out.note(
        `\nTools marked "no" are hidden until a profile names them: sallyport profile set default --server ${slug}:TOOL,TOOL (or ${slug}:*)`,
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
    server
      .command('upgrade')
      .description('install another version of the package')
      .argument('<server>')
      .option('--to <version>', 'exact version; the newest otherwise')
      .option('--allow-scripts', 'run the install scripts of the package and its parts, in the install cell')
      .option(
        '--from <path>',
        'archive or folder of archives to install from, in place of the registry (repeatable)',
        repeated,
      )
      .option(
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
    server
      .command('reinstall')
      .description('install the very same package again, from its lockfile')
      .argument('<server>')
      .option(
        '--from <path>',
        'archive or folder of archives to install from, in place of the registry (repeatable)',
        repeated,
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

/** Paths are this process's to resolve: the gateway may run elsewhere. */
function packageChoices(options: Options): { allowScripts?: true; from?: string[] } {
  const from = listOption(options, 'from').map((path) => resolve(path));
  return {
    ...(options['allowScripts'] === true ? { allowScripts: true } : {}),
    ...(from.length === 0 ? {} : { from }),
  };
}

/** The cell's end of its name tells lines of two cells apart; a `*` marks what the server did not say itself. */
const logText = ({ at, cell, from, text }: LogLineView): string =>
  `${when(at)} ${cell.slice(-6)} ${from === 'server' ? '|' : '*'} ${printable(text)}`;

/** @param shown names of the default tools; null: those that say that they only read */
function toolRows(listText: string, shown: readonly string[] | null): string[][] {
  const tools: unknown = JSON.parse(listText);
  return (Array.isArray(tools) ? tools : []).map((tool: unknown) => {
    const { name, description, annotations } = record(tool);
    const visible =
      shown === null ? record(annotations)['readOnlyHint'] === true : shown.includes(String(name));
    const [line = ''] = typeof description === 'string' ? description.split('\n', 1) : [];
    return [String(name), visible ? 'yes' : 'no', printable(line).slice(0, 80)];
  });
}

/** What a server wrote may have any shape. */
const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function settings(pairs: readonly string[]): Record<string, string> | undefined {
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new AppError('cli_env_malformed', `\`${pair}\` is not of the form NAME=VALUE.`, {
          kind: 'invalid',
        });
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function stateOf({ problem, enabled, trouble, isolation }: ServerView): string {
  if (problem !== null) return 'BROKEN';
  const state = enabled && trouble !== null ? 'FAILING' : enabled ? 'enabled' : 'disabled';
  return isolation === 'cell' ? state : `${state}, NOT ISOLATED`;
}

/** `3 times in a row, at 2026-01-01 10:00:00: it ended with code 1; not started again for 4 s`. */
function troubleText({ deaths, reason, at, waitMs }: NonNullable<ServerView['trouble']>): string {
  const again =
    waitMs > 0 ? `not started again for ${Math.ceil(waitMs / 1_000)} s` : 'the next call starts it again';
  return `${deaths === 1 ? 'once' : `${deaths} times in a row`}, at ${when(at)}: ${printable(reason)}; ${again}`;
}

const hostsText = (one: ServerView): string => one.egress.map((rule) => rule.host).join(', ') || 'none';
const secretsText = (one: ServerView): string => {
  const set = one.secrets.filter((secret) => secret.version !== null).length;
  return `${set} of ${one.secrets.length} set`;
};

function addedText(out: Output, added: ServerView): string {
  const missing = added.secrets.filter((secret) => secret.required && secret.version === null);
  return [
    `${out.paint('green', '✔')} ${added.slug} (${printable(`${added.title} ${added.version}`)}) is added to the profile default.`,
    `  May reach: ${hostsText(added)}`,
    ...scriptLines(added),
    ...missing.map((secret) => `  Next: sallyport secret set ${added.slug} ${secret.name}`),
    ...(missing.length === 0 ? [`  Try: sallyport server tools ${added.slug}`] : []),
  ].join('\n');
}

/** How many names one line shows. */
const NAMED_MAX = 12;

function upgradedText(before: ServerView, after: UpgradedView): string {
  const { slug, changes } = after;
  const line = (what: string, names: readonly string[]): readonly string[] => {
    if (names.length === 0) return [];
    const more = names.length > NAMED_MAX ? `, and ${names.length - NAMED_MAX} more` : '';
    return [`  ${what}: ${names.slice(0, NAMED_MAX).map(printable).join(', ')}${more}`];
  };
  const same = before.package?.integrity === after.package?.integrity;
  return [
    printable(
      same ? `${slug} is at ${after.version} already.` : `${slug}: ${before.version} → ${after.version}`,
    ),
    ...line('Added', changes.added),
    ...line('Removed', changes.removed),
    ...line('Same version, other bytes', changes.altered),
    ...line('New install scripts', changes.newScripts),
    ...(same ? [] : scriptLines(after)),
  ].join('\n');
}

/** What became of the scripts that a package and its parts want to run when they are installed. */
const scriptLines = ({ package: installed }: ServerView): readonly string[] => [
  ...((installed?.scriptsSkipped.length ?? 0) === 0
    ? []
    : [`  Install scripts not run: ${installed?.scriptsSkipped.map(printable).join(', ')}`]),
  ...((installed?.scriptsRun.length ?? 0) === 0
    ? []
    : [`  Install scripts allowed: ${installed?.scriptsRun.map(printable).join(', ')}`]),
];

const READ_ONLY: Readonly<Record<ServerView['readOnlyTools'], string>> = {
  enforce: 'writes of tools that only read are refused',
  report: 'writes of tools that only read are reported',
  off: 'writes of tools that only read are let pass',
};

/** `search_*: GET to api.example.com below /search`. */
function toolRuleText({ tools, hosts, methods, paths, enforce }: ServerView['toolRules'][number]): string {
  const to = hosts === undefined ? '' : ` to ${hosts.join(', ')}`;
  const below = paths === undefined ? '' : ` below ${paths.join(', ')}`;
  const told = enforce ? '' : ' (others are reported)';
  return `${tools.join(', ')}: ${methods?.join(', ') ?? 'anything'}${to}${below}${told}`;
}

/** `allowed: a@1.0.0; not run: b@2.0.0`. Which of those that were allowed did run, only they themselves could say. */
function scriptsText({ scriptsRun, scriptsSkipped }: NonNullable<ServerView['package']>): string {
  const parts = [
    ...(scriptsRun.length === 0 ? [] : [`allowed: ${scriptsRun.join(', ')}`]),
    ...(scriptsSkipped.length === 0 ? [] : [`not run: ${scriptsSkipped.join(', ')}`]),
  ];
  return parts.join('; ') || 'it has none';
}

const NOT_ISOLATED =
  'NONE (cells.isolation: none-unsafe): it can read every file of this user, the keys of Sallyport included, and connect anywhere';

function serverText(one: ServerView): string {
  const lines: [string, string][] = [
    ['name', one.slug],
    ['title', one.title],
    ['version', one.version],
    ['state', stateOf(one)],
    ...(one.problem === null ? [] : [['problem', one.problem] satisfies [string, string]]),
    ...(one.trouble === null ? [] : [['stopped', troubleText(one.trouble)] satisfies [string, string]]),
    ...(one.isolation === 'cell' ? [] : [['isolation', NOT_ISOLATED] satisfies [string, string]]),
    ['source', one.source],
    ['package', one.package === null ? '-' : `${one.package.spec} (${one.package.integrity.slice(0, 23)}…)`],
    ...(one.package === null ? [] : [['scripts', scriptsText(one.package)] satisfies [string, string]]),
    ['command', one.command.join(' ')],
    [
      'reaches',
      one.egress.map((rule) => `${rule.protocol}://${rule.host}:${rule.port}`).join(', ') || 'nothing',
    ],
    ['tools', one.defaultTools === null ? 'those that declare readOnlyHint' : one.defaultTools.join(', ')],
    ['rules', one.toolRules.map(toolRuleText).join('; ') || 'none'],
    ['readonly', READ_ONLY[one.readOnlyTools]],
    ['cells', String(one.cells)],
    ['probed', lastProbeText(one)],
    ['manifest', one.manifestHash],
    ['changed', when(one.updatedAt)],
  ];
  const secrets = one.secrets.map((secret) => [
    secret.name,
    secret.tier,
    secret.version === null ? (secret.required ? 'MISSING' : 'not set') : `version ${secret.version}`,
    secret.hosts.join(', '),
    secret.use === 'always' ? 'any time' : 'during calls',
  ]);
  const width = Math.max(...lines.map(([label]) => label.length));
  // Whatever a manifest, a package or a server has brought in.
  const head = lines.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}`).join('\n');
  return [
    head,
    ...(secrets.length === 0 ? [] : [table(['SECRET', 'TIER', 'VALUE', 'GOES TO', 'USED'], secrets)]),
    ...(one.probe === null || one.probe.probes.length === 0 ? [] : [probeTable(one.probe)]),
  ].join('\n\n');
}
