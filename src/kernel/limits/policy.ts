/** Rules: how large a policy may be, and how much one decision may look at. */
import { KIB, MIB } from './size.ts';

/** Rules of one policy. */
export const policyRulesMax = 1_000;
/** Names in one list of a rule's `match`, and values in one list of a template's parameters. */
export const policyListMax = 500;
/** Longest condition, in characters. */
export const policyConditionCharsMax = 4_096;
/** Parts of one condition. */
export const policyConditionNodesMax = 1_000;
/** Longest name, message or other text of a rule, in characters. */
export const policyTextCharsMax = 1_000;
/** Longest arguments that conditions may look at, in characters of their JSON; with longer ones a rule that wants to counts as met. */
export const policyArgumentsCharsMax = 8 * MIB;
/** The same in values and keys. */
export const policyArgumentValuesMax = 100_000;
/** Steps that one condition may take at most, judged by its shape and the arguments before it begins. */
export const policyStepsMax = 5_000_000;
/** Characters that the functions of all conditions of one decision may read. */
export const policyScannedCharsMax = 64 * MIB;
/** Recipients, links or tables that a condition may find in texts: more than there are values. */
export const policyFoundMax = 2_000;
/** Longest SQL that a condition reads, in characters. */
export const policySqlCharsMax = 256 * KIB;
/** Instructions of one compiled pattern. */
export const policyPatternSizeMax = 10_000;
/** Selections of rules that are remembered for what was asked about before. */
export const policySelectionsMax = 10_000;
/** Longest name, in characters, for which that is remembered: callers choose names. */
export const policyNameRememberedCharsMax = 512;
/** Longest URI of a resource about which there are rules, in characters: each is read in several ways. */
export const policyUriCharsMax = 64 * KIB;
/** How long a file of rules has to stay as it is before it is read anew, in milliseconds; and how often that is looked at, at most. */
export const policyFileSteadyMs = 50;
export const policyFileLooksMax = 20;
/** Names that the explanation of a refusal lists. */
export const policyNamesShownMax = 12;
