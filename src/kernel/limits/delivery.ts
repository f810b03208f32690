/** What leaves the gateway by its own doing: audit exports and messages. */
import { KIB, MIB } from './size.ts';

/** Events that go out together, at most, */
export const deliveryBatchEventsMax = 500;
/** and how many bytes of JSON, unless a single one is longer. */
export const deliveryBatchBytesMax = MIB;
/** How often an export looks for new events, in milliseconds. */
export const deliveryPollMs = 1_000;
/** How long after a first failure the next attempt is made, in milliseconds, which doubles it each time, */
export const deliveryBackoffMs = 1_000;
/** and how long at most. */
export const deliveryBackoffMsMax = 5 * 60_000;
/** The longest `Retry-After` that is heeded, in milliseconds. */
export const deliveryRetryAfterMsMax = 60 * 60_000;
/** How long a receiver may take for one batch, in milliseconds. */
export const deliveryTimeoutMs = 30_000;
/** What is read of a receiver's answer, in bytes. */
export const deliveryAnswerBytesMax = 64 * KIB;
/** Longest syslog message that goes into one datagram, in bytes. */
export const deliveryDatagramBytesMax = 60_000;
/** How far a required export may be behind before calls are refused: in events, and in seconds. */
export const deliveryLagEvents = 10_000;
export const deliveryLagSeconds = 300;
/** How long what was found of a required export's lag is believed, in milliseconds. */
export const deliveryLagGlanceMs = 1_000;
/** After so long without one, the end of a log that grew is signed for its exports, in milliseconds. */
export const deliveryCheckpointMs = 60 * 60_000;
/** Exports, at most. */
export const deliveryStreamsMax = 16;
/** How long a value of the vault that receivers need is kept open, in milliseconds. */
export const deliverySecretKeptMs = 10_000;
/** A file with a signing secret or an address, in bytes. */
export const deliverySecretFileBytesMax = 4 * KIB;
