/**
 * What the store keeps, as its callers see it. Ciphertext only: every `Buffer` here is a sealed envelope or a
 * MAC, and the store neither knows nor checks what is in it.
 */
import type {
  ApprovalId,
  CredentialId,
  JsonObject,
  Json,
  ProfileId,
  ServerId,
  TokenId,
  WorkspaceId,
} from '../kernel/index.ts';

export interface WorkspaceRecord {
  readonly id: WorkspaceId;
  readonly name: string;
  /** Milliseconds since the Unix epoch, as every time in this file. */
  readonly createdAt: number;
}

export interface ServerRecord {
  readonly id: ServerId;
  readonly slug: string;
  /** The manifest as it was parsed; its consumer parses it again. */
  readonly manifest: Json;
  readonly manifestHash: string;
  /** Where the manifest came from: a catalog name, a file, `npm:…`. */
  readonly source: string;
  /** The installed package with its lock, where there is one. */
  readonly package: Json;
  readonly enabled: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What the last probe of a server found: which upstreams send back what they are given. */
export interface ProbeRecord {
  readonly server: ServerId;
  readonly at: number;
  /** The manifest that was probed: another one since may reach other hosts. */
  readonly manifestHash: string;
  /** The report as its author wrote it; its consumer parses it again. */
  readonly report: Json;
}

/** Which definition of a server: of one there may be what is approved, what waits for a decision, and what was turned down last. */
export interface DefinitionPlace {
  readonly server: ServerId;
  /** `tool`, `prompt`, `instructions`: what it defines is its consumer's business. */
  readonly kind: string;
  readonly name: string;
  readonly state: 'approved' | 'pending' | 'rejected';
}

/** Something that a server shows to agents, as it was at `at`. */
export interface DefinitionRecord extends DefinitionPlace {
  readonly hash: string;
  /** As the server gave it. */
  readonly text: string;
  readonly at: number;
  /** Who decided, or saw it first. */
  readonly by: string;
}

/** The document that describes an API. */
export interface DocumentRecord {
  readonly server: ServerId;
  readonly hash: string;
  /** To the last character, since it is what was agreed to. */
  readonly text: string;
}

/** Which revisions of the protocol a server speaks. */
export interface EraRecord {
  readonly server: ServerId;
  /** What it was found for: another manifest or package may speak others. */
  readonly key: string;
  readonly era: string;
}

/** Whose grant for which server, and by which authorization server. `owner` null: the workspace's. */
/** Rules of the owner, as they were written. */
export interface PolicyRecord {
  /** Whose they are; null: the workspace's. */
  readonly profile: string | null;
  readonly text: string;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface GrantPlace {
  readonly server: ServerId;
  readonly owner: string | null;
  readonly issuer: string;
}

export interface GrantRecord extends GrantPlace {
  /** As its author wrote it, and no secret; its consumer parses it again. */
  readonly data: Json;
  readonly updatedAt: number;
}

/** Which slot of a server, and whose value in it: `owner` null is the one that the workspace shares. */
export interface CredentialSlot {
  readonly server: ServerId;
  readonly name: string;
  readonly owner: string | null;
}

export interface CredentialMetadata extends CredentialSlot {
  readonly id: CredentialId;
  /** 1 for a new row, one more with each value. */
  readonly version: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface CredentialRecord extends CredentialMetadata {
  /** The value, sealed under its data key. */
  readonly value: Buffer;
  /** The data key, wrapped by the tenant key. */
  readonly dataKey: Buffer;
}

/** One sealed list per workspace of which credentials exist, in which version. */
export interface CredentialIndexRecord {
  /** Goes up by one with every change to a credential of the workspace. */
  readonly version: number;
  readonly value: Buffer;
  readonly dataKey: Buffer;
}

export interface TenantKeyRecord {
  readonly workspace: WorkspaceId;
  readonly purpose: 'data' | 'audit';
  /** 1, 2, 3 … within workspace and purpose. */
  readonly version: number;
  /** The master key that `wrapped` is wrapped by. */
  readonly masterKeyId: string;
  readonly wrapped: Buffer;
  readonly createdAt: number;
}

export interface ProfileEntry {
  /** The server's slug. */
  readonly server: string;
  /** Names of tools, `*` for every tool, null for the manifest's own selection. */
  readonly tools: readonly string[] | '*' | null;
}

export interface ProfileRecord {
  readonly id: ProfileId;
  readonly name: string;
  readonly entries: readonly ProfileEntry[];
  /** What else was chosen for it, by name; its consumer parses it again. */
  readonly options: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface TokenRecord {
  readonly workspace: WorkspaceId;
  readonly id: TokenId;
  /** Name of the profile that the token opens. */
  readonly profile: string;
  readonly agent: string;
  /** Argon2id in PHC form. */
  readonly hash: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
}

export type KillScope = 'all' | 'workspace' | 'server' | 'token' | 'user' | 'credential';

export interface KillRecord {
  /** Null exactly for scope `all`, which is not a workspace's own. */
  readonly workspace: WorkspaceId | null;
  readonly scope: KillScope;
  /** Slug, token id or user id; the empty string for `all` and `workspace`. */
  readonly target: string;
  readonly at: number;
  readonly by: string;
  readonly reason: string;
}

/** How far a reader of the audit log has come. */
export interface StreamRecord {
  /** Which one. */
  readonly name: string;
  /** Of the last event that it is done with. */
  readonly sequence: number;
  /** What else it has to know to go on, as it wrote it; its consumer parses it again. */
  readonly state: Json;
  readonly updatedAt: number;
}

/** An audit event as stored. The audit module's `RecordedEvent` has this shape. */
export interface StoredEvent {
  readonly workspace: WorkspaceId;
  readonly sequence: number;
  readonly at: number;
  readonly type: string;
  readonly actor: { readonly kind: string; readonly id: string };
  readonly server?: string;
  readonly data: JsonObject;
  readonly previous: string;
  readonly hash: string;
}

/** An event as it is stored, without its workspace: what is JSON is text already, and stays as it is. */
export interface EventRecord {
  readonly sequence: number;
  readonly at: number;
  readonly type: string;
  readonly actor: string;
  readonly server: string | null;
  readonly data: string;
  readonly previous: string;
  readonly hash: string;
}

export interface AuditHeadRecord {
  readonly sequence: number;
  readonly hash: string;
  readonly mac: Buffer;
}

/** An audit journal, and how many of its records are in the chain. */
export interface JournalRecord {
  readonly id: string;
  readonly records: number;
  readonly closed: boolean;
  readonly mac: Buffer;
}

/** A step of a journal: its row as it will be, and the `records` that it has to have before. */
export interface JournalProgressRecord {
  readonly from: number;
  readonly row: JournalRecord;
}

export interface CheckpointRecord {
  readonly workspace: WorkspaceId;
  readonly sequence: number;
  readonly hash: string;
  readonly at: number;
  readonly publicKey: string;
  readonly signature: string;
}

/** A request that somebody is asked about. What it is, and what was answered, is sealed. */
export interface ApprovalRecord {
  readonly id: ApprovalId;
  readonly state: string;
  /** Of the request. */
  readonly hash: string;
  /** Who asks. */
  readonly requester: string;
  /** 1 when it is asked, one more with each change. The envelopes are bound to it. */
  readonly version: number;
  readonly askedAt: number;
  /** When it changes by itself; null: not any more. */
  readonly endsAt: number | null;
  readonly changedAt: number;
  readonly value: Buffer;
  readonly dataKey: Buffer;
}

/** What was counted under a key. */
export interface CounterRecord {
  readonly key: string;
  readonly amount: number;
  /** What it is the time of, the counter's user says. Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** From when on it says nothing. */
  readonly forgetMs: number;
}

/** A recorded session, without what was said in it. */
export interface RecordingRecord {
  readonly id: string;
  /** Null: the local operator's view of all servers. */
  readonly profile: string | null;
  /** The only server of its endpoint; null: all of the profile. */
  readonly server: string | null;
  readonly actor: string;
  readonly agent: string;
  readonly via: 'session' | 'requests';
  readonly dataKey: Buffer;
  readonly startedAt: number;
  readonly updatedAt: number;
  /** Null while it may go on, and where its gateway died. */
  readonly endedAt: number | null;
  /** Slugs of the servers that were asked. */
  readonly servers: readonly string[];
  readonly entries: number;
  readonly calls: number;
  readonly dropped: number;
  readonly bytes: number;
}

/** What a recorded session has grown by. */
export interface RecordingGrowth {
  readonly id: string;
  /** With its first chunk. */
  readonly begun: Omit<
    RecordingRecord,
    'id' | 'updatedAt' | 'endedAt' | 'servers' | 'entries' | 'calls' | 'dropped' | 'bytes'
  > | null;
  /** Number of its first chunk. What is there from it on gives way. */
  readonly from: number;
  readonly chunks: readonly Buffer[];
  /** How much there is of it then. */
  readonly entries: number;
  readonly calls: number;
  readonly dropped: number;
  /** More that were asked. */
  readonly servers: readonly string[];
  readonly at: number;
  readonly isEnded: boolean;
}

/** What was counted of one thing on one day. */
export interface UsageRecord {
  /** In UTC, `2026-11-21`. */
  readonly day: string;
  readonly server: string;
  readonly tool: string;
  readonly agent: string;
  readonly actor: string;
  readonly counts: Json;
}
