/**
 * What is remembered of servers' revisions of the protocol between their starts, in the store: asking costs a slow server
 * time, and some end of it. It is about one manifest and one package; with another of either, the server is asked anew.
 */
import { packageOf, type ServerRow } from '../../api/index.ts';
import type { Log, WorkspaceId } from '../../kernel/index.ts';
import type { EraMemory, UpstreamEra } from '../../mcp/index.ts';
import type { Store } from '../../store/index.ts';

export interface Eras {
  /** For one start of a server. A memory that cannot be read is none. */
  of(row: ServerRow): Promise<EraMemory>;
  /** Told when a server ended because it was asked: what its end was is the gateway's doing. */
  onDied(listener: (slug: string) => void): void;
}

export interface ErasDeps {
  readonly workspace: WorkspaceId;
  readonly rows: Pick<Store['eras'], 'find' | 'save'>;
  readonly log: Log;
}

const eraNamed = (name: string): UpstreamEra | null =>
  name === 'session' || name === 'stateless' ? name : null;

export function createEras({ workspace, rows, log }: ErasDeps): Eras {
  /** Servers that ended when they were asked, with what that holds for: not asked again by this process. */
  const died = new Map<string, string>();
  const listeners: ((slug: string) => void)[] = [];

  const failed = (slug: string, error: unknown): null => {
    log.debug('mcp.era.not_remembered', { server: slug, error: String(error) });
    return null;
  };

  return {
    async of(row) {
      const key = `${row.manifestHash} ${packageOf(row)?.integrity ?? ''}`;
      const stored = await rows.find(workspace, row.id).catch((error: unknown) => failed(row.slug, error));
      const found = stored?.key === key ? eraNamed(stored.era) : null;
      const known = died.get(row.id) === key ? 'session' : found;
      return {
        known,
        learn(era, diedOfQuestion) {
          if (diedOfQuestion) {
            died.set(row.id, key);
            for (const listener of listeners) listener(row.slug);
          } else if (era !== found) {
            died.delete(row.id);
            rows.save(workspace, { server: row.id, key, era }).catch((error) => failed(row.slug, error));
          }
        },
      };
    },
    onDied: (listener) => void listeners.push(listener),
  };
}
