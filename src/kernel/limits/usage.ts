/** Usage: how much is kept, and how often it is brought up to date. */

/** Different things that counts are kept of, per day: tools by agents by tokens. What comes beyond is counted together, per server. */
export const usageKeysMax = 500;
/** Days that counts are kept for. */
export const usageDaysMax = 400;
/** Events of the audit log that are counted at a time. */
export const usageBatchEventsMax = 1_000;
/** Different values of all labels of one metric together. What comes beyond is counted together. */
export const metricSeriesMax = 2_000;
/** How long an answer is good for whoever asks on the loopback address. */
export const metricsKeptMs = 1_000;
/** Longest value of a label, in characters. */
export const metricLabelCharsMax = 200;
/** How often what was recorded meanwhile is counted, by a gateway that serves. */
export const usageCountMs = 10_000;
