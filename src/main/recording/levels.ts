/** What the sessions of each profile are recorded at: as the profile says, else as the configuration does. Kept until the store changes. */
import type { WorkspaceId } from '../../kernel/index.ts';
import { type RecordingLevel, recordingLevels } from '../../recording/index.ts';
import type { Store } from '../../store/index.ts';

export type LevelOf = (
  workspace: WorkspaceId,
  profile: string | null,
) => RecordingLevel | Promise<RecordingLevel>;

export const isLevel = (value: unknown): value is RecordingLevel =>
  recordingLevels.some((level) => level === value);

export function keptLevels(
  store: { readonly profiles: Pick<Store['profiles'], 'findByName'>; readonly revision: () => number },
  fallback: RecordingLevel,
): LevelOf {
  let known = { revision: -1, levels: new Map<string, RecordingLevel>() };
  return (workspace, profile) => {
    if (profile === null) return fallback;
    const revision = store.revision();
    // Profiles that are asked for were found before: there are as many as were made.
    if (known.revision !== revision) known = { revision, levels: new Map() };
    const { levels } = known;
    const level = levels.get(profile);
    if (level !== undefined) return level;
    return store.profiles.findByName(workspace, profile).then((found) => {
      const record = found?.options['record'];
      const read = isLevel(record) ? record : fallback;
      levels.set(profile, read);
      return read;
    });
  };
}
