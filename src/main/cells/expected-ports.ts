/** Which cells are likely to be wanted, by the ports that they listen on. Pure. */
import { manifestOf, type ServerRow } from '../../api/index.ts';
import { listenedPorts } from '../../egress/index.ts';

/** @returns the lists of ports of enabled servers, each once */
export function expectedPorts(rows: readonly ServerRow[]): readonly (readonly number[])[] {
  const lists = new Map<string, readonly number[]>();
  for (const row of rows) {
    if (!row.enabled) continue;
    const { server, egress } = manifestOf(row);
    if (server.kind !== 'sandboxed') continue;
    const ports = listenedPorts(egress).toSorted((one, other) => one - other);
    lists.set(ports.join(' '), ports);
  }
  return [...lists.values()];
}
