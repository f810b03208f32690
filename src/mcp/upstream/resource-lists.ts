/**
 * Whether what one server listed as resources, and as templates of them, is still what it would list: to each profile by
 * itself, since several may have the server, and each keeps what it was told.
 */
import { type Clock, limits } from '../../kernel/index.ts';
import type { ProfileResources } from '../endpoint/profile-resources.ts';

const METHODS = ['resources/list', 'resources/templates/list'] as const;
type ResourceMethod = (typeof METHODS)[number];

interface Taken {
  readonly changes: number;
  /** `Clock.monotonic()` when it was asked. */
  readonly askedMs: number;
}

export class ResourceLists {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #tells: boolean;
  readonly #taken = new WeakMap<ProfileResources, Map<ResourceMethod, Taken>>();
  #changes = 0;

  /** @param tells whether the server says so when its lists change; one that does not is believed for a while */
  constructor(clock: Pick<Clock, 'monotonic'>, tells: boolean) {
    this.#clock = clock;
    this.#tells = tells;
  }

  /** The server says that they are others. */
  changed(): void {
    this.#changes += 1;
  }

  /** It is about to be asked for a whole list. @param resources of the profile that it is for. @returns to be called once that is there */
  asking(method: ResourceMethod, resources: ProfileResources): () => void {
    const taken = { changes: this.#changes, askedMs: this.#clock.monotonic() };
    return () => {
      const all = this.#taken.get(resources) ?? new Map<ResourceMethod, Taken>();
      this.#taken.set(resources, all.set(method, taken));
    };
  }

  /** Whether this profile has nothing to learn by asking for both again. */
  isCurrent(resources: ProfileResources): boolean {
    return METHODS.every((method) => {
      const taken = this.#taken.get(resources)?.get(method);
      if (taken === undefined || taken.changes !== this.#changes) return false;
      return this.#tells || this.#clock.monotonic() - taken.askedMs < limits.mcpResourceListsKeptMs;
    });
  }
}
