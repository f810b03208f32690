/**
 * The description of an API from the address that a manifest names, fetched once when the server is added: over the gateway's
 * own way out, to that host and port alone, without any credential. What comes is kept, and not asked for again.
 */
import type { DocumentSource } from '../../api/index.ts';
import type { Egress, OwnRequest, OwnShare } from '../../egress/index.ts';
import { AppError, type CellId, limits, newId, type Random } from '../../kernel/index.ts';
import type { KillSwitch, Principal } from '../../mcp/index.ts';
import { parseAuthority } from '../../wire/index.ts';
import type { StoredCredential } from '../egress-ports.ts';
import { whileAllowed } from '../kill-guard.ts';
import { collect } from './api-answer.ts';

export interface FetchDeps {
  readonly operator: Principal;
  readonly egress: Pick<Egress, 'openOwn'>;
  readonly kills: Pick<KillSwitch, 'check' | 'onKill'>;
  readonly random: Random;
}

export interface DocumentFetcher extends DocumentSource {
  /** For the data plane: what is fetched has no credential. Null where the cell is none of these. */
  credentialsOf(cell: CellId): ReadonlyMap<string, StoredCredential> | null;
}

const NONE: ReadonlyMap<string, StoredCredential> = new Map();

export function createDocumentFetcher({ operator, egress, kills, random }: FetchDeps): DocumentFetcher {
  const fetching = new Set<CellId>();
  return {
    credentialsOf: (cell) => (fetching.has(cell) ? NONE : null),
    async fetch(address, server, wanted) {
      const request = requestFor(address);
      const cell = newId<'cell'>('api', random);
      fetching.add(cell);
      const work = async (stopped: AbortSignal): Promise<string> => {
        const share = await egress.openOwn({
          identity: { cell, workspace: operator.workspace, server, profile: '', owner: null },
          rules: [{ host: request.host, port: request.port, protocol: 'https', methods: ['GET'] }],
          credentials: [],
          tools: { rules: [], readOnly: 'off' },
        });
        const wish = { address, request, wanted: AbortSignal.any([wanted, stopped]) };
        return fetched(share, wish).finally(() => share.close());
      };
      return whileAllowed(kills, operator, server, work).finally(() => fetching.delete(cell));
    },
  };
}

interface Wish {
  readonly address: string;
  readonly request: OwnRequest;
  readonly wanted: AbortSignal;
}

async function fetched(share: OwnShare, { address, request, wanted }: Wish): Promise<string> {
  const { status, fields, body: source } = await share.request(request, wanted);
  if (status !== 200) {
    source.destroy();
    throw unusable(address, status, fields.get('location'));
  }
  const { body, isCut } = await collect(source, fields.get('content-encoding') ?? '', wanted);
  if (isCut) throw tooLarge(address);
  return body.toString('utf8');
}

function requestFor(address: string): OwnRequest {
  const url = new URL(address);
  const authority = parseAuthority(url.host, 443);
  if (!authority.ok) {
    throw new AppError('api_document_address', `\`${address}\` names no host that can be asked.`, {
      kind: 'invalid',
    });
  }
  const fields = [
    ['User-Agent', 'Sallyport'],
    ['Accept', 'application/json, application/yaml;q=0.9, */*;q=0.8'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ] as const;
  const { host, port } = authority.value;
  return {
    method: 'GET',
    scheme: 'https',
    host,
    port,
    target: url.pathname + url.search,
    fields,
    body: null,
  };
}

const unusable = (address: string, status: number, location: string | undefined): AppError =>
  new AppError(
    'api_document_unavailable',
    `${address} answered with status ${status}, not with a document.`,
    {
      kind: 'unavailable',
      hint:
        location === undefined
          ? 'Download the document, put it beside the manifest and name the file in its place.'
          : `It points to ${location.slice(0, 300)}, which is not followed: name that address, if it is the right one.`,
    },
  );

const tooLarge = (address: string): AppError =>
  new AppError(
    'api_document_too_large',
    `${address} has more than ${limits.apiAnswerBytesMax / limits.MIB} MiB.`,
    {
      kind: 'invalid',
      hint: 'Download the document, put it beside the manifest and name the file in its place.',
    },
  );
