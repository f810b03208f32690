/**
 * Delivery: what leaves the gateway by its own doing. Formats and the way of a stream are here, pure or behind ports; who
 * carries a batch to its receiver is `main/delivery/`.
 */
export { alertBody, slackBody } from './alert-message.ts';
export { backOffMs } from './back-off.ts';
export { type Lag, lagOf } from './lag.ts';
export { batchLines, reachedIn } from './lines.ts';
export { otlpBody, otlpRejected } from './otlp.ts';
export { DELIVERY_PREFIX } from './own-events.ts';
export type { Batch, EventSource, Position, Sender, StreamState, StreamStore } from './ports.ts';
export { readSigningKeys, webhookHeaders } from './standard-webhook.ts';
export { Stream } from './stream.ts';
export { datagrams, framed, syslogMessages, type SyslogOrigin } from './syslog.ts';
export { webhookBody } from './webhook-body.ts';
