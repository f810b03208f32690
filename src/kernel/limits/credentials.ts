/** Keys, stored values, and the tokens of those who ask. */
import { KIB } from './size.ts';

/** Workspaces whose opened tenant keys one key ring holds in memory, 32 bytes a key. */
export const tenantKeysOpenMax = 1024;
/** Size of a master key file in bytes; several hundred keys. */
export const masterKeyFileBytesMax = 64 * KIB;
/** How long a change of the master key file waits for another process that is changing it, in milliseconds. */
export const masterKeyLockWaitMs = 10_000;
/** Largest plaintext of one envelope in bytes. */
export const sealPlaintextBytesMax = 1024 * KIB;
/** How many times one rotation looks through all rows for such as were added meanwhile. */
export const rotationPassesMax = 16;
/** Longest secret value, in bytes. */
export const secretBytesMax = 64 * KIB;
/** Longest credential value, in bytes. The largest real ones are service accounts and keys of a few KiB. */
export const credentialBytesMax = 64 * KIB;
/** Credentials of one workspace, every user's own ones included: their index is one envelope. */
export const credentialsPerWorkspaceMax = 4_000;
/** Opened credential indexes that are kept in memory. */
export const credentialIndexesCachedMax = 1_024;
/** How often a change of a credential is tried while other processes are faster. */
export const credentialChangeAttemptsMax = 16;
/** Verified tokens that are remembered, so that their slow hash is computed once. */
export const tokensVerifiedMax = 10_000;
/** Slow hashes computed at once: each takes 19 MiB and one thread of the pool. */
export const tokenHashesAtOnceMax = 2;
/** Tokens that wait for their slow hash, of one address and of all that have a turn; more are turned away. */
export const tokenHashesWaitingMax = 256;
/** Bad tokens that one address may present in a row. */
export const tokenFailuresMax = 20;
/** How long it takes until an address may present one more, in milliseconds. */
export const tokenFailureRefillMs = 3_000;
/** Addresses whose failures are counted; the one longest quiet is forgotten first. */
export const tokenFailureAddressesMax = 10_000;
/** How exactly the last use of a token is recorded, in milliseconds. */
export const tokenLastUsedStepMs = 60_000;
/** Longest name of an agent, in characters. */
export const agentNameCharsMax = 100;
/** Longest name of a credential, and longest id of its owner, in characters. */
export const credentialNameCharsMax = 256;
/** Opened values of credentials that are kept in memory. */
export const vaultOpenedMax = 1_024;
/** How long an opened value is kept in memory, in milliseconds, whether or not it is used. */
export const vaultOpenedTtlMs = 10_000;
