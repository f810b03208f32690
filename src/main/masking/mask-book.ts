/**
 * Rules that mask, compiled once for each set of them. What takes the place of a value by its hash is made with a key of the
 * workspace's own, so that it stays the same for as long as the workspace lasts and says nothing to anybody else.
 */
import { AppError, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { MaskingRule } from '../../masking/index.ts';
import { keyedHash, type MaskBook, maskersFor, type Maskers, MaskThreads } from '../../mcp/index.ts';
import { type DecidedMask, maskingRules } from '../../policy/index.ts';
import type { KeyRing } from '../../seal/index.ts';

export interface MaskBookDeps {
  readonly ring: Pick<KeyRing, 'purposeKey'>;
  readonly log: Log;
}

export function maskBook({ ring, log }: MaskBookDeps): MaskBook {
  const sets = new Map<string, Promise<Maskers>>();
  const threads = new MaskThreads();
  let recipes = 0;

  async function compile(workspace: WorkspaceId, masks: readonly DecidedMask[]): Promise<Maskers> {
    try {
      const isHashed = masks.some(({ strategy }) => strategy === 'hash');
      const key = isHashed ? await ring.purposeKey(workspace, 'masking') : null;
      const rules = maskingRules(masks);
      const isPlaced = masks.some(({ keys, pointers }) => keys.length > 0 || pointers.length > 0);
      recipes += 1;
      const recipe = {
        id: recipes,
        whole: rules.flatMap(unplaced),
        placed: isPlaced ? rules : [],
      };
      return {
        ...maskersFor(recipe, keyedHash(key === null ? null : () => key.bytes())),
        apart(message) {
          // A copy: what is sent is the whole of the memory that bytes stand in.
          const hashKey = key === null ? null : new Uint8Array(key.bytes());
          return threads.mask({ ...message, recipe: { ...recipe, hashKey } });
        },
      };
    } catch (error) {
      log.error('masking.unavailable', { error: String(error) });
      throw new AppError(
        'masking_unavailable',
        'What rules mask cannot be masked now, so nothing is answered.',
        {
          kind: 'failed',
          hint: "The gateway's log has the details. See the rules: sallyport policy show",
          cause: error,
        },
      );
    }
  }

  return {
    maskersOf(workspace, masks) {
      const key = JSON.stringify([workspace, masks]);
      const known = sets.get(key);
      if (known !== undefined) return known;
      if (sets.size >= limits.maskingSetsKept) sets.clear();
      const made = compile(workspace, masks);
      sets.set(key, made);
      // Asked for again, it is tried again.
      made.catch(() => sets.delete(key));
      return made;
    },
    close: () => threads.close(),
  };
}

/** What a rule finds wherever it stands. */
function unplaced({ id, detectors = [], patterns = [], strategy }: MaskingRule): readonly MaskingRule[] {
  return detectors.length === 0 && patterns.length === 0 ? [] : [{ id, detectors, patterns, strategy }];
}
