/** `sallyport profile …` and `sallyport token …` */
import { type Command, Option } from 'commander';
import type { ProfileView, TokenView } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, listOption, type Options, repeated, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { table, when } from '../output.ts';

/** At most five digits: a hundred thousand days are as good as for ever, and any calendar holds them. */
const DURATION = /^(\d{1,5})([mhd])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function profileCommands(host: CliHost, program: Command): void {
  const profile = program
    .command('profile')
    .description('selections of servers and tools, each with an endpoint of its own');

  connected(host, profile.command('list').description('list the profiles'), async ({ client, out }) => {
    const profiles = await client.profiles();
    out.show(profiles, () =>
      table(
        ['NAME', 'SERVERS'],
        profiles.map((one) => [one.name, one.entries.map((entry) => entry.server).join(', ') || 'none']),
      ),
    );
  });

  connected(
    host,
    profile.command('show').description('show one profile').argument('<profile>'),
    async ({ client, out }, [name = '']) => {
      const one = await client.profile(name);
      out.show(one, () => profileText(one));
    },
  );

  const entryOption = [
    '--server <server[:tool,…|:*]>',
    'a server, with its default tools, these tools, or all (repeatable)',
    repeated,
  ] as const;

  connected(
    host,
    profile
      .command('create')
      .description('make a profile')
      .argument('<profile>')
      .option(...entryOption)
      .addOption(searchOption()),
    async ({ client, out }, [name = ''], options) => {
      if ((await client.profiles()).some((one) => one.name === name)) {
        throw new AppError('profile_exists', `There is already a profile \`${name}\`.`, {
          kind: 'conflict',
          hint: `Change it: \`sallyport profile set ${name} --server SERVER\`.`,
        });
      }
      const entries = listOption(options, 'server').map(parseEntry);
      const one = await client.setProfile(name, entries, switched(options, 'search'));
      out.show(one, () => profileText(one));
    },
  );

  connected(
    host,
    profile
      .command('set')
      .description('add servers to a profile, choose their tools, or take servers out; the others stay')
      .argument('<profile>')
      .option(...entryOption)
      .option('--remove <server>', 'take this server out (repeatable)', repeated)
      .addOption(
        new Option(
          '--token-in-url <on|off>',
          'whether its tokens may stand in the address, for clients that can send no header',
        ).choices(['on', 'off']),
      )
      .addOption(searchOption())
      .addOption(recordOption()),
    async ({ client, out }, [name = ''], options) => {
      const chosen = listOption(options, 'server').map(parseEntry);
      const removed = listOption(options, 'remove');
      const set = {
        ...switched(options, 'tokenInUrl'),
        ...switched(options, 'search'),
        ...recordChosen(options),
      };
      if (chosen.length + removed.length + Object.keys(set).length === 0) {
        throw new AppError('cli_usage', 'Say what to change.', {
          kind: 'invalid',
          hint: '--server SERVER[:TOOL,…|:*], --remove SERVER, --search on|off, --record LEVEL or --token-in-url on|off.',
        });
      }
      const { entries } = await client.profile(name);
      for (const server of removed) {
        if (entries.some((entry) => entry.server === server)) continue;
        throw new AppError('profile_server_unknown', `The profile ${name} does not hold \`${server}\`.`, {
          kind: 'not_found',
          hint: `It holds: ${entries.map((entry) => entry.server).join(', ') || 'no server'}.`,
        });
      }
      const kept = entries
        .filter((entry) => !removed.includes(entry.server))
        .map((entry) => chosen.findLast((other) => other.server === entry.server) ?? entry);
      const added = chosen.filter(
        (entry, at) =>
          !kept.some((other) => other.server === entry.server) &&
          chosen.findLastIndex((other) => other.server === entry.server) === at,
      );
      const one = await client.setProfile(name, [...kept, ...added], set);
      out.show(one, () => profileText(one));
    },
  );

  connected(
    host,
    profile.command('delete').description('delete a profile and revoke its tokens').argument('<profile>'),
    async ({ client, out }, [name = '']) => {
      await client.deleteProfile(name);
      out.show({ deleted: name }, () => `The profile ${name} is deleted and its tokens are revoked.`);
    },
  );
}

/** @param text `SERVER`, `SERVER:*` or `SERVER:TOOL,TOOL`; a tool's name may hold colons */
function parseEntry(text: string): ProfileView['entries'][number] {
  const colon = text.indexOf(':');
  if (colon < 0) return { server: text, tools: null };
  const [server, list] = [text.slice(0, colon), text.slice(colon + 1)];
  if (list === '*') return { server, tools: '*' };
  const tools = list.split(',').filter((tool) => tool !== '');
  if (tools.length > 0) return { server, tools };
  throw new AppError('cli_usage', `\`${text}\` names no tool after the colon.`, {
    kind: 'invalid',
    hint: `Write ${server}:TOOL,TOOL for these tools, ${server}:* for all, ${server} for its default ones.`,
  });
}

const profileText = (one: ProfileView): string =>
  (one.entries.length === 0
    ? `${one.name} holds no server.`
    : table(
        ['SERVER', 'TOOLS'],
        one.entries.map((entry) => [
          entry.server,
          entry.tools === null
            ? "the server's default"
            : entry.tools === '*'
              ? 'all'
              : entry.tools.join(', '),
        ]),
      )) +
  (one.options.tokenInUrl
    ? '\nIts tokens may stand in the address, where logs and histories keep them.'
    : '') +
  (one.options.search ? '\nIts clients are shown find_tools and call_tool in place of the tools.' : '') +
  (one.options.record === null ? '' : `\nIts sessions are recorded: ${one.options.record}.`);

const searchOption = (): Option =>
  new Option(
    '--search <on|off>',
    'whether its clients are shown two tools, one that finds the others and one that calls them',
  ).choices(['on', 'off']);

const recordOption = (): Option =>
  new Option(
    '--record <level>',
    'what is kept of its sessions, masked; default: as the configuration says',
  ).choices(['off', 'metadata', 'arguments', 'full', 'default']);

const recordChosen = (options: Options): Partial<ProfileView['options']> => {
  const level = textOption(options, 'record');
  if (level === 'default') return { record: null };
  return level === 'off' || level === 'metadata' || level === 'arguments' || level === 'full'
    ? { record: level }
    : {};
};

/** An option of a profile that is on or off, where it was given. */
function switched(
  options: Readonly<Record<string, unknown>>,
  name: 'tokenInUrl' | 'search',
): Partial<ProfileView['options']> {
  const value = textOption(options, name);
  return value === undefined ? {} : { [name]: value === 'on' };
}

export function tokenCommands(host: CliHost, program: Command): void {
  const token = program.command('token').description('what MCP clients present over HTTP');

  connected(
    host,
    token
      .command('create')
      .description('make a token; it is shown this once')
      .option('--profile <profile>', 'what it opens', 'default')
      .option('--agent <name>', 'who it is for, as the audit log will say', 'agent')
      .option('--expires <duration>', 'for how long it is good: 30m, 12h, 90d'),
    async ({ client, out }, _, options) => {
      const profile = textOption(options, 'profile') ?? 'default';
      const expires = textOption(options, 'expires');
      const created = await client.createToken({
        profile,
        agent: textOption(options, 'agent') ?? 'agent',
        ...(expires === undefined ? {} : { expiresAt: Date.now() + durationMs(expires) }),
      });
      out.show(created, () => created.token);
      const { url } = await client.status();
      out.note(
        `\nThis is the only time that it is shown. Send it as \`Authorization: Bearer …\` to ${url === null ? 'the gateway, at ' : url}/mcp/${profile}`,
      );
    },
  );

  connected(host, token.command('list').description('list the tokens'), async ({ client, out }) => {
    const tokens = await client.tokens();
    out.show(tokens, () =>
      tokens.length === 0
        ? 'No tokens yet. Make one: sallyport token create --agent NAME'
        : table(
            ['ID', 'AGENT', 'PROFILE', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED'],
            tokens.map((one) => [
              one.id,
              one.agent,
              one.profile,
              stateOf(one),
              when(one.createdAt),
              when(one.expiresAt),
              when(one.lastUsedAt),
            ]),
          ),
    );
  });

  connected(
    host,
    token.command('revoke').description('make a token useless at once').argument('<id>'),
    async ({ client, out }, [id = '']) => {
      await client.revokeToken(id);
      out.show({ revoked: id }, () => `${id} is revoked.`);
    },
  );

  connected(
    host,
    token.command('rotate').description('replace a token by a new one').argument('<id>'),
    async ({ client, out }, [id = '']) => {
      const created = await client.rotateToken(id);
      out.show(created, () => created.token);
    },
  );
}

function stateOf({ revokedAt, expiresAt }: TokenView): string {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= Date.now() ? 'expired' : 'active';
}

function durationMs(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined || unit === undefined || Number(count) === 0) {
    throw new AppError('cli_duration_malformed', `\`${text}\` is not a duration.`, {
      kind: 'invalid',
      hint: 'Write a number and m, h or d: 30m, 12h, 90d.',
    });
  }
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
