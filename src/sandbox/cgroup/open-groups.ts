/** Control groups of this very machine: what there is, and how this process comes to have some for its cells. */
import { accessSync, constants, readFileSync } from 'node:fs';
import type { Log } from '../../kernel/index.ts';
import { identify, type ProcessIdentity } from '../process-identity.ts';
import { detectGroups, type GroupReader, type Manager, ownGroup } from './detect.ts';
import { takeOver } from './groups.ts';
import type { CellGroups, CellGroupsSource, GroupFacts } from './ports.ts';
import {
  enterScope,
  scopeManager,
  scopeName,
  systemdAsk,
  systemdRuns,
  unitDelegates,
} from './systemd-scope.ts';

function hostGroupReader(userId: number): GroupReader {
  return {
    platform: process.platform,
    read(path) {
      try {
        return readFileSync(path, 'latin1');
      } catch {
        return null;
      }
    },
    writable(path) {
      try {
        accessSync(path, constants.W_OK);
        return true;
      } catch {
        return false;
      }
    },
    delegates: (unit, manager) => unitDelegates(unit, manager, userId),
  };
}

export interface OpenGroupsDeps {
  readonly log: Log;
  readonly reader: GroupReader;
  readonly self: ProcessIdentity;
  /** Tries to get a scope of this process's own. @returns whether it is in it */
  readonly enterScope: () => Promise<boolean>;
}

/** @returns null where cells are limited without groups; what that means and what to do about it is logged */
export async function openCellGroups(deps: OpenGroupsDeps): Promise<CellGroups | null> {
  const { log, reader, self } = deps;
  let facts = detectGroups(reader);
  if (facts.kind === 'none' && facts.why === 'not-delegated' && (await deps.enterScope())) {
    facts = detectGroups(reader);
  }
  const groups = facts.kind === 'none' ? null : took(facts, self, log);
  if (groups === null)
    log.info('cells.without_groups', facts.kind === 'none' ? { ...facts } : { why: 'occupied' });
  else {
    const swept = await groups.sweep();
    log.info('cells.groups', { controllers: [...groups.controllers].sort().join(' '), swept });
  }
  return groups;
}

function took(
  facts: Extract<GroupFacts, { kind: 'delegated' }>,
  self: ProcessIdentity,
  log: Log,
): CellGroups | null {
  try {
    return takeOver(facts.root, facts.controllers, self);
  } catch (error) {
    log.warn('cells.groups_refused', { group: facts.root, error: String(error) });
    return null;
  }
}

/** Those of this very machine. */
export function hostGroups(log: Log): CellGroupsSource {
  const userId = process.getuid?.() ?? 0;
  const reader = hostGroupReader(userId);
  return {
    facts() {
      const facts = detectGroups(reader);
      const scope = facts.kind === 'none' && facts.why === 'not-delegated' ? scopeOf(reader, userId) : null;
      return scope === null ? facts : { ...facts, scope };
    },
    async open() {
      const self = identify(process.pid);
      return self === null
        ? null
        : openCellGroups({ log, reader, self, enterScope: () => ownScope(reader, self, userId) });
    },
  };
}

/** @returns whose systemd can be asked for a scope */
function scopeOf(reader: GroupReader, userId: number): Manager | null {
  const group = ownGroup(reader);
  return group === null || !systemdRuns() ? null : scopeManager(group, userId);
}

async function ownScope(reader: GroupReader, self: ProcessIdentity, userId: number): Promise<boolean> {
  const manager = scopeOf(reader, userId);
  if (manager === null) return false;
  const inScope = (): boolean => ownGroup(reader)?.unit?.name === scopeName(self);
  return enterScope(self, manager, systemdAsk(userId), inScope);
}
