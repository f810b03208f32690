/**
 * How deliveries post: over the data plane, with a share of it for each request, whose only rule is where that request goes.
 * So its steps hold here too: special ranges, TLS, what is recorded, and that answers are scrubbed. A secret is a placeholder
 * until the data plane puts it in. Redirects are not followed.
 */
import type { AuditLog } from '../../audit/index.ts';
import { DELIVERY_PREFIX } from '../../delivery/index.ts';
import type { CredentialSource, Egress, InjectRule, KnownSecret, OwnAnswer } from '../../egress/index.ts';
import {
  AppError,
  type CellId,
  limits,
  newId,
  type Random,
  type Secret,
  type WorkspaceId,
} from '../../kernel/index.ts';
import { makePlaceholder } from '../../manifest/index.ts';
import { parseAuthority } from '../../wire/index.ts';

export interface HttpWayDeps {
  readonly workspace: WorkspaceId;
  readonly egress: () => Pick<Egress, 'openOwn'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly random: Random;
}

/** A value that the data plane puts into the request. */
export interface DeliverySecret {
  readonly name: 'address' | 'authorization';
  readonly into: InjectRule;
  /** Opens it anew each time: it is the data plane's, which destroys it. */
  readonly open: () => Promise<Secret>;
}

export interface HttpPost {
  /** Of what it is, for the audit log: no slug of a server has a colon. */
  readonly stream: string;
  /** Without what is secret in it. */
  readonly url: URL;
  readonly secrets: readonly DeliverySecret[];
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

export interface HttpWay {
  /** @throws AppError with the data plane's code; `delivery_refused` for a status that is not 2xx, `delivery_too_large` for 413 */
  post(post: HttpPost, signal: AbortSignal): Promise<HttpAnswer>;
  /** The same source, which knows the secrets of posts under way besides. */
  credentials(others: CredentialSource): CredentialSource;
}

/** Long enough not to be met by chance in an answer. */
const STAND_IN = 'delivery_{alnum:40}';

export function createHttpWay({ workspace, egress, audit, random }: HttpWayDeps): HttpWay {
  const underway = new Map<CellId, ReadonlyMap<string, DeliverySecret>>();

  async function post(given: HttpPost, signal: AbortSignal): Promise<HttpAnswer> {
    const { url, secrets, stream } = given;
    const scheme = url.protocol === 'https:' ? 'https' : 'http';
    const authority = parseAuthority(url.host, scheme === 'https' ? 443 : 80);
    if (!authority.ok)
      throw new AppError('delivery_address_invalid', `\`${url.host}\` names no host that can be asked.`, {
        kind: 'failed',
      });
    const { host, port } = authority.value;
    const cell = newId<'cell'>(DELIVERY_PREFIX, random);
    underway.set(cell, new Map(secrets.map((secret) => [secret.name, secret])));
    try {
      const share = await egress().openOwn({
        identity: { cell, workspace, server: `delivery:${stream}`, profile: '', owner: null },
        rules: [{ host, port, protocol: scheme, methods: ['POST'] }],
        credentials: secrets.map(({ name, into }) => ({
          name,
          placeholder: makePlaceholder(STAND_IN, random),
          hosts: [host],
          ports: [port],
          methods: ['POST'],
          inject: [into],
        })),
        tools: { rules: [], readOnly: 'off' },
      });
      try {
        const target = url.pathname + url.search;
        const fields = [
          ['content-type', 'application/json'],
          ['user-agent', 'Sallyport'],
          ...given.headers,
        ] as const;
        const request = { method: 'POST', scheme, host, port, target, fields, body: given.body } as const;
        return await answered(await share.request(request, signal), host);
      } finally {
        share.close();
      }
    } finally {
      underway.delete(cell);
    }
  }

  return {
    post,
    credentials: (others) => ({
      async use(identity, credential, request) {
        const secrets = underway.get(identity.cell);
        if (secrets === undefined) return others.use(identity, credential, request);
        const secret = secrets.get(credential);
        if (secret === undefined)
          throw new AppError('vault_credential_missing', `There is no ${credential} for this.`, {
            kind: 'failed',
          });
        await audit.record({
          workspace,
          type: 'credential.used',
          actor: { kind: 'cell', id: identity.cell },
          server: identity.server,
          data: { name: credential, purpose: 'inject', for: request.data },
        });
        return secret.open();
      },
      async known(identity) {
        const secrets = underway.get(identity.cell);
        if (secrets === undefined) return others.known(identity);
        const found: KnownSecret[] = [];
        try {
          for (const { name, open } of secrets.values()) found.push({ name, value: await open() });
        } catch (error) {
          for (const { value } of found) value.destroy();
          throw error;
        }
        return found;
      },
    }),
  };
}

async function answered({ status, fields, body }: OwnAnswer, host: string): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.deliveryAnswerBytesMax) break; // which ends the body, too: what is read of it decides nothing more
    chunks.push(chunk);
  }
  if (status >= 200 && status < 300) return { status, text: Buffer.concat(chunks).toString('utf8') };
  const seconds = Number(fields.get('retry-after') ?? '');
  throw new AppError(
    status === 413 ? 'delivery_too_large' : 'delivery_refused',
    `${host} answered with status ${status}.`,
    {
      kind: 'unavailable',
      hint:
        status >= 300 && status < 400
          ? 'It points elsewhere, which is not followed: give the address that takes it.'
          : 'It is sent again later; look at what the receiver says.',
      detail: { status, ...(seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}) },
    },
  );
}
