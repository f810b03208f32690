/** Logins to remote servers: what an authorization server may take, in time and in size. */
import { KIB } from './size.ts';

/** Largest answer of an authorization server that is read, in bytes: metadata, tokens. */
export const oauthAnswerBytesMax = 256 * KIB;
/** How long one exchange with it may take, in milliseconds. */
export const oauthExchangeTimeoutMs = 30_000;
/** How long another process that is renewing a token is waited for, in milliseconds; later it is taken for dead. */
export const oauthRefreshWaitMs = 45_000;
/** How often is looked whether it is done, in milliseconds. */
export const oauthRefreshLookMs = 200;
/** A token is renewed so long before it ends, in milliseconds; one that lasts for less than twice that, in its second half. */
export const oauthRefreshAheadMs = 60_000;
/** For how long a token is believed to be good at most, in seconds: ten years. */
export const oauthExpiresInSecondsMax = 315_360_000;
/** A server that refuses a token just renewed is believed only after so long, in milliseconds. */
export const oauthRefreshAgainMs = 2_000;
/** How long a person has for a login, in milliseconds. */
export const oauthLoginMs = 600_000;
/** Logins that wait for their person at a time; the oldest gives way. */
export const oauthLoginsMax = 32;
/** How often a server may ask for more than was granted, */
export const oauthStepUpsMax = 3;
/** within so long, in milliseconds. */
export const oauthStepUpsMs = 3_600_000;
/** Names of scopes of one grant. */
export const oauthScopesMax = 100;
/** Longest address or name that an authorization server may give, in characters. */
export const oauthTextCharsMax = 2 * KIB;
/** Longest token, in characters: it has to fit into a header field. */
export const oauthTokenCharsMax = 16 * KIB;
/** Longest challenge that is read, in characters. */
export const oauthChallengeCharsMax = 8 * KIB;
/** Challenges of servers that are remembered for their next login. */
export const oauthChallengesMax = 1_024;
/** How long a browser has to take the last answer of a login, in milliseconds. */
export const oauthFarewellMs = 1_000;
/** The port that a browser comes back to unless another is named. */
export const oauthCallbackPort = 7_802;
