/** The options of `secret inject` that say where a credential goes: one for each place that a manifest can name. */
import type { Command } from 'commander';
import type { InjectBody } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { type Options, textOption } from '../command.ts';

type Rule = InjectBody['rule'];

export const placeOptions = (command: Command): Command =>
  command
    .option('--header <header>', 'in this header')
    .option('--bearer', 'as `Authorization: Bearer …`')
    .option('--basic <half>', 'as `user` or `password` of HTTP Basic')
    .option('--query <parameter>', 'in this query parameter')
    .option('--cookie <name>', 'in this cookie')
    .option('--path <path>', 'in a path, such as /bot{token}')
    .option('--json-pointer <pointer>', 'at this place of a JSON body')
    .option('--form <field>', 'in this field of a urlencoded form')
    .option('--multipart <field>', 'in this field of a multipart form')
    .option('--websocket <place>', 'in WebSocket messages: `text` with --format, or a JSON pointer')
    .option('--hmac <header>', 'not sent: this header is a signature of the body, made with it')
    .option(
      '--format <format>',
      'form of the header or message, with {token}, or of the signature, with {signature}',
    )
    .option('--algorithm <hash>', 'of the signature: sha1, sha256 (the usual) or sha512')
    .option('--encoding <encoding>', 'of the signature: hex (the usual) or base64');

const HASHES = ['sha1', 'sha256', 'sha512'] as const;
const ENCODINGS = ['hex', 'base64'] as const;
const HALVES = ['user', 'password'] as const;

/** @throws AppError `cli_usage` unless exactly one place is named, with options that belong to it */
export function placeFrom(options: Options): Rule {
  const text = (name: string): string | undefined => textOption(options, name);
  const [format, algorithm, encoding] = [text('format'), text('algorithm'), text('encoding')];
  const rules: Rule[] = [];
  const add = (name: string, rule: (said: string) => Rule): void => {
    const said = text(name);
    if (said !== undefined) rules.push(rule(said));
  };
  add('header', (header) => ({ header, format: format ?? '{token}' }));
  if (options['bearer'] === true) rules.push({ header: 'Authorization', format: 'Bearer {token}' });
  add('basic', (half) => ({ basic: choice('--basic', half, HALVES) }));
  add('query', (query) => ({ query }));
  add('cookie', (cookie) => ({ cookie }));
  add('path', (path) => ({ path }));
  add('jsonPointer', (json) => ({ json }));
  add('form', (form) => ({ form }));
  add('multipart', (multipart) => ({ multipart }));
  add('websocket', (websocket) => (format === undefined ? { websocket } : { websocket, format }));
  add('hmac', (header) => ({
    hmac: {
      header,
      format: format ?? '{signature}',
      over: 'body',
      algorithm: choice('--algorithm', algorithm ?? 'sha256', HASHES),
      encoding: choice('--encoding', encoding ?? 'hex', ENCODINGS),
    },
  }));
  const [rule] = rules;
  if (rule === undefined || rules.length > 1)
    throw usage(
      'Give exactly one place.',
      '--header H [--format F], --bearer, --basic user|password, --query Q, --cookie C, --path P, --json-pointer P, --form F, --multipart F, --websocket text|POINTER [--format F], or --hmac H [--format F].',
    );
  if (
    format !== undefined &&
    !('header' in rule && options['bearer'] !== true) &&
    !('websocket' in rule) &&
    !('hmac' in rule)
  )
    throw usage('This place has no format.', '--format is for --header, --websocket text and --hmac.');
  if ((algorithm ?? encoding) !== undefined && !('hmac' in rule))
    throw usage('Nothing is signed there.', '--algorithm and --encoding are for --hmac.');
  return rule;
}

function choice<const T extends string>(option: string, said: string, known: readonly T[]): T {
  const found = known.find((one) => one === said);
  if (found === undefined) throw usage(`${option} cannot be ${said}.`, `It is one of: ${known.join(', ')}.`);
  return found;
}

const usage = (message: string, hint: string): AppError =>
  new AppError('cli_usage', message, { kind: 'invalid', hint });
