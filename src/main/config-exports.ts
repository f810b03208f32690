/** Settings of audit exports. What is secret in them is in files of their own, which are read when it is needed. */
import { z } from 'zod';
import { limits } from '../kernel/index.ts';
import { parseAuthority } from '../wire/index.ts';

/** Where it is posted to. */
export const httpUrl = z.string().superRefine((text, context) => {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hash !== '') {
    context.addIssue(`\`${text}\` is not an https:// or http:// address`);
  } else if (url.username !== '' || url.password !== '') {
    context.addIssue('has a login in it: put that into a file, and name it as `authorizationFile`');
  }
});
const authority = z.string().transform((text, context) => {
  const parsed = parseAuthority(text, 0);
  if (parsed.ok && parsed.value.port > 0) return parsed.value;
  context.addIssue(`\`${text}\` is not of the form HOST:PORT`);
  return z.NEVER;
});

/** Small, and good in a path. */
export const channelName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'is not of small letters, digits and hyphens');

export const oneAddress = ({
  url,
  urlFile,
}: {
  readonly url?: string | undefined;
  readonly urlFile?: string | undefined;
}): boolean => (url === undefined) !== (urlFile === undefined);

const common = {
  /** What it is called, here and in what is kept of how far it came: another name begins anew. */
  name: channelName,
  /** Where it begins at first: with the log's first event, or with the next. */
  from: z.enum(['start', 'now']).default('start'),
  /** Calls are refused while it is too far behind. */
  required: z.boolean().default(false),
  lagEvents: z.number().int().min(1).default(limits.deliveryLagEvents),
  lagSeconds: z.number().int().min(1).default(limits.deliveryLagSeconds),
};
/** Of a request: its whole `Authorization` header. */
const authorizationFile = z.string().optional();

const AuditExport = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, kind: z.literal('jsonl'), path: z.string().min(1) }),
  z.strictObject({
    ...common,
    kind: z.literal('syslog'),
    address: authority,
    transport: z.enum(['tls', 'tcp', 'udp']).default('tls'),
  }),
  z
    .strictObject({
      ...common,
      kind: z.literal('webhook'),
      url: httpUrl.optional(),
      /** Where the address is a secret: its last part is never shown. */
      urlFile: z.string().optional(),
      authorizationFile,
      /** `whsec_…`, and on a second line the one before while it is replaced. */
      secretFile: z.string().optional(),
    })
    .refine(oneAddress, 'needs url or urlFile'),
  z.strictObject({ ...common, kind: z.literal('otlp'), url: httpUrl, authorizationFile }),
]);

export const auditExports = z
  .array(AuditExport)
  .max(limits.deliveryStreamsMax)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'has two of one name');

export type AuditExportConfig = z.output<typeof AuditExport>;
