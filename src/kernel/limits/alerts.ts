/** What is watched for in the audit log. */

/** Rules, at most. */
export const alertRulesMax = 50;
/** Whoever, or whatever, one rule remembers: those heard of longest ago are forgotten. */
export const alertKeysMax = 500;
/** Different things that one rule tells of within the quiet time. What is more is told once, and counted. */
export const alertsPerRuleMax = 50;
/** What an alert is about, in characters: callers choose names. */
export const alertKeyCharsMax = 300;
/** and what it says. */
export const alertMessageCharsMax = 1_000;
/** Hosts or tools that one of them is remembered to have used. */
export const alertSeenMax = 500;
/** Windows of time that say what is usual. */
export const alertHistoryWindows = 48;
/** and how many there have to be before anything but the minimum counts. */
export const alertHistoryWindowsMin = 3;
/** Alerts that `alert list` has. */
export const alertsKept = 100;
/** How often new events are looked at, in milliseconds. */
export const alertPollMs = 1_000;
/** Events after which the state is stored, while there are more. */
export const alertPageEvents = 500;
/** Pause between two such pages, so that calls come first, in milliseconds. */
export const alertPagePauseMs = 5;
