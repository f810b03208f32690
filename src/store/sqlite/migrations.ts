/**
 * The schema of the SQLite database, one step per change. A step that was released is never edited: databases
 * in the field have run it. The number of the last step is the database's schema version.
 */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

const FIRST = [
  `create table workspaces (
    id text primary key,
    name text not null unique,
    created_at integer not null
  ) strict, without rowid`,

  `create table servers (
    workspace text not null references workspaces (id),
    id text not null,
    slug text not null,
    manifest text not null,
    manifest_hash text not null,
    source text not null,
    package text,
    enabled integer not null check (enabled in (0, 1)),
    created_at integer not null,
    updated_at integer not null,
    primary key (workspace, id),
    unique (workspace, slug)
  ) strict`,

  // A server with credentials cannot be deleted underneath them: their removal has to be audited and has to
  // reach the sealed index, which a cascade would do neither of.
  `create table credentials (
    workspace text not null,
    id text not null,
    server_id text not null,
    name text not null,
    owner text not null,
    version integer not null check (version > 0),
    value blob not null,
    data_key blob not null,
    updated_at integer not null,
    updated_by text not null,
    primary key (workspace, id),
    unique (workspace, server_id, name, owner),
    foreign key (workspace, server_id) references servers (workspace, id)
  ) strict`,

  `create table credential_index (
    workspace text primary key references workspaces (id),
    version integer not null check (version > 0),
    value blob not null,
    data_key blob not null
  ) strict`,

  `create table tenant_keys (
    workspace text not null references workspaces (id),
    purpose text not null,
    version integer not null check (version > 0),
    master_key_id text not null,
    wrapped blob not null,
    created_at integer not null,
    primary key (workspace, purpose, version)
  ) strict`,

  `create table profiles (
    workspace text not null references workspaces (id),
    id text not null,
    name text not null,
    entries text not null,
    created_at integer not null,
    updated_at integer not null,
    primary key (workspace, id),
    unique (workspace, name)
  ) strict`,

  // The id alone is unique: it is what a client presents, before anybody knows the workspace.
  `create table tokens (
    id text primary key,
    workspace text not null references workspaces (id),
    profile text not null,
    agent text not null,
    hash text not null,
    created_at integer not null,
    expires_at integer,
    revoked_at integer,
    last_used_at integer
  ) strict, without rowid`,
  'create index tokens_by_workspace on tokens (workspace, created_at)',

  // No reference to workspaces: scope 'all' has none, and a kill must be possible whatever else is broken.
  `create table kills (
    workspace text not null,
    scope text not null check (scope in ('all', 'workspace', 'server', 'token', 'user')),
    target text not null,
    at integer not null,
    by text not null,
    reason text not null,
    primary key (workspace, scope, target)
  ) strict, without rowid`,

  // Without a rowid the table is the index: an append touches one tree. No reference either, because an
  // event about a workspace outlives it.
  `create table audit_events (
    workspace text not null,
    sequence integer not null check (sequence > 0),
    at integer not null,
    type text not null,
    actor text not null,
    server text,
    data text not null,
    previous text not null,
    hash text not null,
    primary key (workspace, sequence)
  ) strict, without rowid`,

  `create table audit_heads (
    workspace text primary key,
    sequence integer not null,
    hash text not null,
    mac blob not null
  ) strict, without rowid`,

  `create table audit_checkpoints (
    workspace text not null,
    sequence integer not null,
    at integer not null,
    hash text not null,
    public_key text not null,
    signature text not null,
    primary key (workspace, sequence)
  ) strict, without rowid`,

  `create table meta (
    key text primary key,
    value text not null
  ) strict, without rowid`,
] as const;

/** A probe says nothing without its server: it goes with it. */
const PROBES = [
  `create table probes (
    workspace text not null,
    server_id text not null,
    at integer not null,
    manifest_hash text not null,
    report text not null,
    primary key (workspace, server_id),
    foreign key (workspace, server_id) references servers (workspace, id) on delete cascade
  ) strict, without rowid`,
] as const;

/** What caches depend on. Not in it: audit events, and the last use of a token, which are written all the time. */
const CACHED: readonly string[] = [
  'workspaces',
  'servers',
  'credentials',
  'credential_index',
  'tenant_keys',
  'profiles',
  'tokens',
  'kills',
  'meta',
];

const COUNTED_COLUMNS: Readonly<Record<string, string>> = {
  tokens: ' of id, workspace, profile, agent, hash, created_at, expires_at, revoked_at',
};

const counted = (table: string): readonly string[] =>
  ['insert', 'update', 'delete'].map((deed) => {
    const columns = deed === 'update' ? (COUNTED_COLUMNS[table] ?? '') : '';
    return `create trigger ${table}_${deed} after ${deed}${columns} on ${table}
        begin update revision set value = value + 1; end`;
  });

const COUNTER = [
  'create table revision (one integer primary key check (one = 1), value integer not null) strict',
  'insert into revision values (1, 1)',
  ...CACHED.flatMap(counted),
];

/** Of gateways that run, or have died and left something behind. */
const JOURNALS = [
  `create table audit_journals (
    id text primary key,
    records integer not null check (records >= 0),
    closed integer not null check (closed in (0, 1)),
    mac blob not null
  ) strict, without rowid`,
] as const;

/**
 * What is known of a server besides its manifest: all of it goes with the server. With a rowid where a row may be large.
 * The revisions that it speaks are not counted as a change: they are found, not decided.
 */
const SERVER_FACTS = [
  `create table definitions (
    workspace text not null,
    server_id text not null,
    kind text not null,
    name text not null,
    state text not null check (state in ('approved', 'pending', 'rejected')),
    hash text not null,
    text text not null,
    at integer not null,
    by text not null,
    primary key (workspace, server_id, kind, name, state),
    foreign key (workspace, server_id) references servers (workspace, id) on delete cascade
  ) strict`,

  `create table documents (
    workspace text not null,
    server_id text not null,
    hash text not null,
    text text not null,
    primary key (workspace, server_id),
    foreign key (workspace, server_id) references servers (workspace, id) on delete cascade
  ) strict`,

  `create table eras (
    workspace text not null,
    server_id text not null,
    key text not null,
    era text not null,
    primary key (workspace, server_id),
    foreign key (workspace, server_id) references servers (workspace, id) on delete cascade
  ) strict, without rowid`,

  `create table grants (
    workspace text not null,
    server_id text not null,
    owner text not null,
    issuer text not null,
    data text not null,
    updated_at integer not null,
    primary key (workspace, server_id, owner, issuer),
    foreign key (workspace, server_id) references servers (workspace, id) on delete cascade
  ) strict`,

  ...['definitions', 'documents', 'grants'].flatMap(counted),

  `alter table profiles add column options text not null default '{}'`,
] as const;

const POLICIES = [
  `create table policies (
    workspace text not null,
    profile text not null,
    text text not null,
    updated_at integer not null,
    updated_by text not null,
    primary key (workspace, profile)
  ) strict`,
  ...counted('policies'),
] as const;

/**
 * Of one request only one can wait: two processes that are asked at once ask people once. No reference to workspaces, as
 * with rules: rows are sealed for theirs.
 */
const APPROVALS = [
  `create table approvals (
    workspace text not null,
    id text not null,
    state text not null check (state in ('pending', 'approved', 'rejected', 'expired', 'revoked', 'executed')),
    hash text not null,
    requester text not null,
    version integer not null check (version > 0),
    asked_at integer not null,
    ends_at integer,
    changed_at integer not null,
    value blob not null,
    data_key blob not null,
    primary key (workspace, id)
  ) strict`,
  "create unique index approvals_waiting on approvals (workspace, hash) where state = 'pending'",
  'create index approvals_by_hash on approvals (workspace, hash, asked_at)',
  'create index approvals_by_state on approvals (workspace, state, asked_at)',
  ...counted('approvals'),
] as const;

/** Not counted as changes: nobody caches them, and they change with every call that is limited. */
const COUNTERS = [
  `create table counters (
    workspace text not null,
    key text not null,
    amount integer not null,
    at integer not null,
    forget_at integer not null,
    primary key (workspace, key)
  ) strict, without rowid`,
  `create table flights (
    workspace text not null,
    key text not null,
    id text not null,
    until integer not null,
    primary key (workspace, key, id)
  ) strict, without rowid`,
  'create index flights_of on flights (workspace, id)',
] as const;

/** Each is known by all its keys: another order of them is one more page to write for each call. */
const FLIGHTS = ['drop index flights_of'] as const;

/** How far readers of the audit log have come. */
const STREAMS = [
  `create table streams (
    workspace text not null,
    name text not null,
    sequence integer not null check (sequence >= 0),
    state text not null,
    updated_at integer not null,
    primary key (workspace, name)
  ) strict`,
] as const;

/** Not counted as a change: what is recorded is no cause to decide anything anew. With a rowid: chunks may be large. */
const RECORDINGS = [
  `create table recordings (
    workspace text not null,
    id text not null,
    profile text not null,
    server text not null,
    actor text not null,
    agent text not null,
    via text not null,
    data_key blob not null,
    started_at integer not null,
    updated_at integer not null,
    ended_at integer,
    servers text not null,
    entries integer not null,
    calls integer not null,
    dropped integer not null,
    bytes integer not null,
    primary key (workspace, id)
  ) strict`,
  'create index recordings_by_start on recordings (workspace, started_at)',

  `create table recording_chunks (
    workspace text not null,
    recording_id text not null,
    sequence integer not null,
    sealed blob not null,
    primary key (workspace, recording_id, sequence),
    foreign key (workspace, recording_id) references recordings (workspace, id) on delete cascade
  ) strict`,
] as const;

/** A table's check cannot be changed in place. Its triggers go with it. */
const CREDENTIAL_KILLS = [
  'alter table kills rename to kills_before',
  `create table kills (
    workspace text not null,
    scope text not null check (scope in ('all', 'workspace', 'server', 'token', 'user', 'credential')),
    target text not null,
    at integer not null,
    by text not null,
    reason text not null,
    primary key (workspace, scope, target)
  ) strict, without rowid`,
  'insert into kills select workspace, scope, target, at, by, reason from kills_before',
  'drop table kills_before',
  ...counted('kills'),
] as const;

const USAGE = [
  `create table usage (
    workspace text not null,
    day text not null,
    server text not null,
    tool text not null,
    agent text not null,
    actor text not null,
    counts text not null,
    primary key (workspace, day, server, tool, agent, actor)
  ) strict, without rowid`,
] as const;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'first schema', statements: FIRST },
  { version: 2, name: 'last probe of each server', statements: PROBES },
  { version: 3, name: 'counter of changes', statements: COUNTER },
  { version: 4, name: 'audit journals', statements: JOURNALS },
  { version: 5, name: 'what is known of servers', statements: SERVER_FACTS },
  { version: 6, name: 'rules', statements: POLICIES },
  { version: 7, name: 'approvals', statements: APPROVALS },
  { version: 8, name: 'counters', statements: COUNTERS },
  { version: 9, name: 'readers of the audit log', statements: STREAMS },
  { version: 10, name: 'recordings', statements: RECORDINGS },
  { version: 11, name: 'kill switches of credentials', statements: CREDENTIAL_KILLS },
  { version: 12, name: 'usage', statements: USAGE },
  { version: 13, name: 'flights by their key alone', statements: FLIGHTS },
];
