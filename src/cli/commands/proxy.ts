/** `sallyport proxy env`: what a program outside of cells needs in its environment. */
import type { Command } from 'commander';
import type { ApiClient } from '../../api/index.ts';
import { proxyEnvironment } from '../../kernel/index.ts';
import { connected, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';

type Settings = Awaited<ReturnType<ApiClient['proxySettings']>>;

export function proxyCommands(host: CliHost, program: Command): void {
  const proxy = program
    .command('proxy')
    .description(
      'for programs that do not run in a cell: their requests go through the gateway, with a token',
    );

  connected(
    host,
    proxy
      .command('env')
      .description('print shell lines that point a program at the proxy: eval "$(sallyport proxy env)"')
      .option(
        '--server <server>',
        "whose rules and credentials apply; needed where the token's profile has several",
      )
      .option('--token <id>', 'id of the token, from `sallyport token list`; needed where there are several'),
    async ({ client, out }, _, options) => {
      const server = textOption(options, 'server');
      const tokenId = textOption(options, 'token');
      const settings = await client.proxySettings({
        ...(server === undefined ? {} : { server }),
        ...(tokenId === undefined ? {} : { tokenId }),
      });
      out.show(settings, () => linesOf(settings).join('\n'));
      if (settings.unset.length > 0) {
        const { unset } = settings;
        out.note(
          `No value is set for ${unset.join(', ')}: sallyport secret set ${settings.server} ${unset[0]}`,
        );
      }
    },
  );
}

/** The token itself is the user's: it is taken from SALLYPORT_TOKEN when the lines are read, and never printed. */
function linesOf({ address, server, tokenId, agent, variables, caFile }: Settings): string[] {
  const url = `"http://${server}:\${SALLYPORT_TOKEN}@${address}"`;
  const set = (name: string, value: string): string => `export ${name}=${value}`;
  return [
    `: "\${SALLYPORT_TOKEN:?set it to the token ${tokenId} (${inQuotes(agent)})}"`,
    ...proxyEnvironment.proxy.map((name) => set(name, url)),
    ...Object.entries(proxyEnvironment.others).map(([name, value]) => set(name, quoted(value))),
    ...proxyEnvironment.authorities.map((name) => set(name, quoted(caFile))),
    ...Object.entries(variables).map(([name, value]) => set(name, quoted(value))),
  ];
}

/** For a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
/** Within double quotes, and within an expansion: what could mean something there is left out. */
const inQuotes = (text: string): string => text.replaceAll(/[^\p{L}\p{N} ._-]/gu, '');
