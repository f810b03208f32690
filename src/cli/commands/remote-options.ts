/** The options of `server add` for a server at an address: which credential it gets, and where that goes. */
import type { Command } from 'commander';
import type { InjectBody } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { type Options, textOption } from '../command.ts';

const ADDRESS = /^https?:/;

export const remoteOptions = (command: Command): Command =>
  command
    .option('--secret <NAME>', 'for https:// sources: name of the credential that it needs')
    .option('--header <header>', 'for https:// sources: the header that the credential goes in')
    .option('--bearer', 'for https:// sources: it goes in as `Authorization: Bearer …`')
    .option('--query <parameter>', 'for https:// sources: the query parameter that it goes in');

/** @throws AppError `cli_usage` where the source is another, or two places are named */
export function remoteChoices(
  source: string,
  options: Options,
): { credential?: string; place?: InjectBody['rule'] } {
  const [secret, header, query] = ['secret', 'header', 'query'].map((name) => textOption(options, name));
  const places: InjectBody['rule'][] = [
    ...(header === undefined ? [] : [{ header, format: '{token}' }]),
    ...(options['bearer'] === true ? [{ header: 'Authorization', format: 'Bearer {token}' }] : []),
    ...(query === undefined ? [] : [{ query }]),
  ];
  const [place] = places;
  if (!ADDRESS.test(source) && (secret !== undefined || place !== undefined))
    throw new AppError('cli_usage', 'Which credentials this server gets is said by its manifest.', {
      kind: 'invalid',
      hint: '--secret, --header, --bearer and --query are for https:// sources. For others: sallyport secret inject SERVER NAME --bearer',
    });
  if (places.length > 1)
    throw new AppError('cli_usage', 'Give one of --header, --bearer and --query.', {
      kind: 'invalid',
      hint: 'More places are declared afterwards: sallyport secret inject SERVER NAME --header H',
    });
  return {
    ...(secret === undefined ? {} : { credential: secret }),
    ...(place === undefined ? {} : { place }),
  };
}
