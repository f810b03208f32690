/** Which cells are likely to be wanted, by the ports that they listen on. Pure. */
import { manifestOf, type ServerRow } from '../../api/index.ts';
import { listenedPorts } from '../../egress/index.ts';

/** @returns the lists of ports of enabled servers, each once */
export function expectedPorts(rows: readonly ServerRow[]): readonly (readonly number[])[] {
  const lists = new Map<string, readonly number[]>();
  for (const ports of rows.filter(({ enabled }) => enabled).map(portsOf))
    if (ports !== null) lists.set(ports.join(' '), ports);
  return [...lists.values()];
}

/** Null for a server without a cell, and for one that cannot be started: whoever starts it is told why. */
function portsOf(row: ServerRow): readonly number[] | null {
  try {
    const { server, egress } = manifestOf(row);
    if (server.kind !== 'sandboxed') return null;
    return listenedPorts(egress).toSorted((one, other) => one - other);
  } catch {
    return null;
  }
}
