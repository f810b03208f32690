/** Bodies from arguments. Pure; what no body can be made of is a fault. */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import type { ApiFault } from '../faults.ts';
import { isObject } from '../json-values.ts';
import type { BodyField, BodyPlan } from '../plan.ts';
import { encoded } from './percent.ts';
import { type Argument, membersOf, pairs, textOf } from './values.ts';

export interface Body {
  readonly contentType: string;
  readonly bytes: Buffer;
}

type Arguments = ReadonlyMap<string, Argument>;

/** Null where the arguments have none of it and it is not required. */
export function bodyFrom(plan: BodyPlan, given: Arguments): Result<Body | null, ApiFault> {
  const { content } = plan;
  if ('argument' in content) {
    const argument = given.get(content.argument);
    if (argument === undefined) return ok(null);
    const isForm = plan.encoding === 'form' || plan.encoding === 'multipart';
    return isForm && isObject(argument.value)
      ? fromFields(plan, fieldsOf(argument))
      : wholeBody(plan, content.argument, argument);
  }
  const fields = content.fields.flatMap((field) => {
    const argument = given.get(field.argument);
    return argument === undefined ? [] : [{ field, argument }];
  });
  return fromFields(plan, fields);
}

/** A form whose fields the document does not name: they are whatever was given. */
const fieldsOf = (whole: Argument): Filled[] =>
  membersOf(whole).map(([name, argument]) => ({
    field: {
      argument: name,
      name,
      required: false,
      style: isObject(argument.value) ? 'deepObject' : 'form',
      explode: true,
      file: false,
      contentType: null,
    },
    argument,
  }));

function fromFields(plan: BodyPlan, fields: readonly Filled[]): Result<Body | null, ApiFault> {
  if (fields.length === 0 && !plan.required) return ok(null);
  if (plan.encoding === 'multipart') return multipart(fields);
  if (plan.encoding === 'form') {
    const form = fields.flatMap(({ field: { name, style, explode }, argument }) =>
      pairs(name, argument, { style, explode, encode: encoded }),
    );
    return ok(textBody(plan, form.map(([name, value]) => `${name}=${value}`).join('&')));
  }
  const members = fields.map(({ field, argument }) => `${JSON.stringify(field.name)}:${argument.text}`);
  return ok(textBody(plan, `{${members.join(',')}}`));
}

const textBody = ({ contentType }: BodyPlan, text: string): Body => ({
  contentType,
  bytes: Buffer.from(text, 'utf8'),
});

function wholeBody(plan: BodyPlan, name: string, argument: Argument): Result<Body, ApiFault> {
  if (plan.encoding === 'json') return ok(textBody(plan, argument.text));
  if (plan.encoding === 'text') return ok(textBody(plan, textOf(argument)));
  const bytes = bytesOf(name, argument);
  return bytes.ok ? ok({ contentType: plan.contentType, bytes: bytes.value }) : bytes;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function bytesOf(name: string, { value }: Argument): Result<Buffer, ApiFault> {
  const text = typeof value === 'string' ? value.replaceAll(/\s+/g, '') : null;
  if (text !== null && text.length % 4 === 0 && BASE64.test(text)) return ok(Buffer.from(text, 'base64'));
  return err({
    code: 'api_argument_base64',
    message: `\`${name}\` is not base64.`,
    hint: 'Give the bytes as base64 text (RFC 4648 section 4), with its padding.',
  });
}

interface Filled {
  readonly field: BodyField;
  readonly argument: Argument;
}

function multipart(fields: readonly Filled[]): Result<Body, ApiFault> {
  const parts: { readonly head: string; readonly bytes: Buffer }[] = [];
  for (const { field, argument } of fields) {
    const bytes = field.file
      ? bytesOf(field.argument, argument)
      : ok(Buffer.from(partText(argument), 'utf8'));
    if (!bytes.ok) return bytes;
    const isJson = typeof argument.value === 'object';
    const contentType =
      field.contentType ?? (field.file ? 'application/octet-stream' : isJson ? 'application/json' : null);
    const name = quotable(field.name);
    const disposition = `Content-Disposition: form-data; name="${name}"${field.file ? `; filename="${name}"` : ''}`;
    const type = contentType === null ? '' : `\r\nContent-Type: ${contentType}`;
    parts.push({ head: `${disposition}${type}\r\n\r\n`, bytes: bytes.value });
  }
  const boundary = boundaryFor(parts.map(({ bytes }) => bytes));
  if (boundary === null) {
    return err({ code: 'api_argument_boundary', message: 'The parts have every boundary in them.' });
  }
  const bytes = Buffer.concat([
    ...parts.flatMap(({ head, bytes: content }) => [
      Buffer.from(`--${boundary}\r\n${head}`, 'utf8'),
      content,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  return ok({ contentType: `multipart/form-data; boundary=${boundary}`, bytes });
}

const partText = (argument: Argument): string =>
  typeof argument.value === 'object' && argument.value !== null ? argument.text : textOf(argument);

/** RFC 7578, names escaped as browsers do. */
const quotable = (name: string): string =>
  name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

/** One that stands in none of the parts: found by looking, not by chance, because arguments are not to be trusted. */
function boundaryFor(parts: readonly Buffer[]): string | null {
  for (let number = 0; number < BOUNDARIES_TRIED; number += 1) {
    const boundary = `sallyport-part-${number.toString(36).padStart(8, '0')}`;
    if (!parts.some((bytes) => bytes.includes(boundary))) return boundary;
  }
  return null;
}

/** A caller that writes this many of them into one call wants no answer. */
const BOUNDARIES_TRIED = 64;

/** Whether a body is longer than the way out takes. */
export const isTooLong = ({ bytes }: Body): boolean => bytes.length > limits.requestBodyBufferBytesMax;
