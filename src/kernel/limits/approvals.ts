/** Approvals: how long what is held back waits, and how much of it there may be. */
import { KIB } from './size.ts';

/** Longest arguments that somebody is asked about, in characters of their JSON: nobody can judge longer ones. */
export const approvalArgumentsCharsMax = 256 * KIB;
/** How long a single use may be left unused after it was agreed to, in milliseconds. */
export const approvalOnceMs = 60 * 60_000;
/** Longest time for which the same request may be agreed to, in minutes: a week. */
export const approvalMinutesMax = 10_080;
/** How long an agreement for a session lasts at most, in milliseconds. */
export const approvalSessionMs = 24 * 60 * 60_000;
/** How long a request that was rejected is answered by that, in milliseconds: nobody is asked the same again at once. */
export const approvalRejectedMs = 10 * 60_000;
/** Requests of one caller that wait at once. */
export const approvalPendingMax = 50;
/** Requests of one workspace that wait at once. */
export const approvalPendingAllMax = 1_000;
/** Questions that one caller has people asked within a while: whoever is asked all the time agrees in the end. */
export const approvalAskedMax = 120;
/** That while, in milliseconds. */
export const approvalAskedWindowMs = 60 * 60_000;
/** Longest reason that somebody gives, in characters. */
export const approvalReasonCharsMax = 1_000;
/** Approvals that one list shows, the newest first. */
export const approvalListMax = 500;
/** How long those that are over are kept, in milliseconds: 30 days. */
export const approvalKeepMs = 30 * 24 * 60 * 60_000;
/** How often those whose time is over are looked for, in milliseconds. */
export const approvalSweepIntervalMs = 15_000;
/** How long a call is held open for somebody to decide, in milliseconds: less than clients wait for any answer. */
export const approvalHoldMs = 45_000;
/** How often a client whose call is held is told that it still is, in milliseconds. */
export const approvalProgressIntervalMs = 10_000;
/** How often a change is tried again because another process made one to the same approval meanwhile. */
export const approvalRetriesMax = 16;
/** Approvals of which a process remembers how far they were. */
export const approvalSeenMax = 10_000;
/** How far the time of a signed answer may be from now, in milliseconds. */
export const approvalSignatureMs = 5 * 60_000;
/** Signatures of one message that are looked at. */
export const approvalSignaturesMax = 8;
/** Signed answers that are remembered, so that none counts twice. */
export const approvalTakenMax = 10_000;
/** A signed answer, in bytes. */
export const approvalAnswerBytesMax = 64 * KIB;
/** How long such an answer may take to come in, in milliseconds. */
export const approvalAnswerReadMs = 10_000;
/** Answers with a wrong signature that are put on record each minute: anybody can send them. */
export const approvalForgedRecordedMax = 10;
/** Characters of arguments that one section of a message in Slack shows, */
export const approvalShownCharsMax = 2_000;
/** and such sections of a message: of what is longer, nobody can agree there. */
export const approvalShownSectionsMax = 5;
/** Approvals of which it is kept what Slack was told. */
export const approvalsToldMax = 2_000;
/** How long after a change what Slack shows is looked at, in milliseconds: changes that come together are one look. */
export const approvalBoardPauseMs = 100;
/** How often what became of a button is sent before it is given up, */
export const approvalMessageTriesMax = 4;
/** and how long after the first try the second one is made, in milliseconds, which doubles each time. */
export const approvalMessageBackoffMs = 1_000;
