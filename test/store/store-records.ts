/** What the tests of every database adapter store: one record of each kind. */
import type { EventRow, RecordedEvent } from '../../src/audit/index.ts';
import { newId, type ServerId, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import type {
  CredentialRecord,
  ServerRecord,
  StoredEvent,
  TokenRecord,
  WorkspaceRecord,
} from '../../src/store/index.ts';

export const workspaceRecord = (name: string): WorkspaceRecord => ({
  id: newId<'workspace'>('ws', systemRandom),
  name,
  createdAt: 1,
});

export const serverRecord = (slug: string): ServerRecord => ({
  id: newId<'server'>('srv', systemRandom),
  slug,
  manifest: { name: slug, egress: [], nested: { text: 'ü\u0000\ud83d\ude00', n: 1.5, no: null } },
  manifestHash: 'ab'.repeat(32),
  source: 'catalog:github',
  package: null,
  enabled: true,
  createdAt: 10,
  updatedAt: 10,
});

export const credentialRecord = (server: ServerId, name: string, owner: string | null): CredentialRecord => ({
  id: newId<'credential'>('crd', systemRandom),
  server,
  name,
  owner,
  version: 1,
  value: Buffer.from([0, 1, 2, 255]),
  dataKey: Buffer.from('wrapped'),
  updatedAt: 20,
  updatedBy: 'local:0',
});

export const tokenRecord = (workspace: WorkspaceId): TokenRecord => ({
  workspace,
  id: newId<'token'>('t', systemRandom),
  profile: 'dev',
  agent: 'claude',
  hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
  createdAt: 30,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
});

export const event = (workspace: WorkspaceId, sequence: number, previous: string): RecordedEvent => ({
  workspace,
  sequence,
  at: 1_700_000_000_000 + sequence,
  type: 'credential.used',
  actor: { kind: 'token', id: 't_1' },
  ...(sequence % 2 === 0 ? { server: 'github' } : {}),
  data: { name: 'TOKEN', list: [1, 'ü', null, { deep: true }] },
  previous,
  hash: sequence.toString(16).padStart(64, '0'),
});

/** As the audit log hands it over. */
export const row = ({
  sequence,
  at,
  type,
  actor,
  server,
  data,
  previous,
  hash,
}: Omit<StoredEvent, 'workspace'>): EventRow => ({
  sequence,
  at,
  type,
  actor: JSON.stringify(actor),
  server: server ?? null,
  data: JSON.stringify(data),
  previous,
  hash,
});

export const NO_EVENT = '0'.repeat(64);
