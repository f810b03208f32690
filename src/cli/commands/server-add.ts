/** `sallyport server add`: what holds for every kind of source; what is about one kind only is in a file of its own. */
import type { Command } from 'commander';
import { AppError } from '../../kernel/index.ts';
import { connected, listOption, repeated, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { apiChoices, fileSource } from './api-options.ts';
import { packageChoices, packageSource, packageSourceOptions } from './package-options.ts';
import { remoteChoices, remoteOptions } from './remote-options.ts';
import { addedText } from './server-text.ts';

/** A file's name; never `npm:…` or an address, whatever they end with. */
const FILE_SOURCE = /^(?!(?:npm|pypi|https?):).*(?:\.(?:ya?ml|json)$)|^\.{0,2}\//;

export function addCommand(host: CliHost, server: Command): void {
  connected(
    host,
    remoteOptions(
      packageSourceOptions(
        server
          .command('add')
          .description(
            'add a server: a catalog name, a manifest file, an OpenAPI document or toolspec, npm:PACKAGE[@VERSION], pypi:PACKAGE[==VERSION], or https://ADDRESS of a remote server',
          )
          .argument('<source>')
          .option('--name <slug>', 'name of the server here'),
      ),
    )
      .option('--base-url <url>', 'where the API is, for an OpenAPI document that does not say it')
      .option('--tag <tag>', 'only operations of an OpenAPI document that have it (repeatable)', repeated)
      .option('--env <NAME=VALUE>', 'plain setting, never a secret (repeatable)', repeated),
    async ({ client, out, tell }, [source = ''], options) => {
      const name = textOption(options, 'name');
      const env = settings(listOption(options, 'env'));
      const added = await client.addServer(
        {
          source,
          ...packageSource(source, options),
          ...(FILE_SOURCE.test(source) ? await fileSource(host, source) : {}),
          ...apiChoices(options),
          ...(name === undefined ? {} : { name }),
          ...(env === undefined ? {} : { env }),
          ...packageChoices(options),
          ...remoteChoices(source, options),
        },
        tell,
      );
      out.show(added, () => addedText(out, added));
    },
  );
}

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
