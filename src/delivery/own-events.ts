/** Which events are there only because something was delivered. */
import { RECEIVERS, type RecordedEvent } from '../audit/index.ts';

/** What the identifiers begin with under which deliveries use the data plane. */
export const DELIVERY_PREFIX = 'dlv';

export const isOfDelivery = ({
  type,
  actor,
  server,
}: Pick<RecordedEvent, 'type' | 'actor' | 'server'>): boolean =>
  type.startsWith('delivery.') ||
  (type === 'credential.used' && server === RECEIVERS) ||
  (actor.kind === 'cell' && actor.id.startsWith(`${DELIVERY_PREFIX}_`));
