/**
 * What governs a caller at a server: the kill switch, its profile, the owner's rules, what was agreed to of definitions, what
 * masks what the server says beside its answers. Requests ask for these several times each, so that a change holds
 * from the next look on; here each is found once for one revision of them all, and a look at it is one comparison.
 *
 * Trusts the revision to be another one before any of the ports answers differently. Without one nothing is kept.
 * Must never keep a refusal: who is refused is looked at anew.
 */
import type { WorkspaceId } from '../../kernel/index.ts';
import { type DecidedMask, masksBeside, type Rules } from '../../policy/index.ts';
import type { Target } from './forwarded.ts';
import type { Principal } from '../ports/callers.ts';
import type { Definitions, PinVerdict, SeenDefinition } from '../ports/definitions.ts';
import type { KillSwitch, RuleBook } from '../ports/governance.ts';
import type { MaskBook, Maskers } from '../ports/masks.ts';
import type { ProfileServer, ProfileView, Upstreams } from '../ports/upstreams.ts';
import { isLater, type Soon } from '../soon.ts';

export interface TermsDeps {
  /** Another number after anything that these answer from may have changed. Absent: it may have at any time. */
  readonly revision?: () => number;
  readonly upstreams: Pick<Upstreams, 'profile'>;
  readonly kills: KillSwitch;
  readonly rules: RuleBook;
  readonly definitions: Pick<Definitions, 'judge'>;
  readonly masks: Pick<MaskBook, 'maskersOf'>;
}

/** What was agreed to of one server's definitions. */
type PinJudge = (seen: Pick<SeenDefinition, 'kind' | 'name' | 'hash'>) => PinVerdict;

/** What masks what a server says beside its answers. */
interface Beside {
  readonly masks: readonly DecidedMask[];
  /** Null: nothing does. */
  readonly maskers: Maskers | null;
}

/** As of one revision; what was not asked for yet is missing. */
interface Known {
  readonly revision: number;
  readonly profile: string | null;
  mayGo?: true;
  rules?: Rules;
  judge?: PinJudge;
  beside?: Beside;
}

/** Profiles as one caller sees them, as of one revision. */
interface Views {
  readonly revision: number;
  readonly byName: Map<string | null, ProfileView>;
}

export class Terms {
  readonly #deps: TermsDeps;
  /** By what both stay the same object for as long as nothing changes. */
  readonly #known = new WeakMap<ProfileServer, WeakMap<Principal, Known>>();
  readonly #views = new Map<WorkspaceId, Views>();
  /** As of which revision a caller itself was not stopped. */
  readonly #callers = new WeakMap<Principal, number>();

  constructor(deps: TermsDeps) {
    this.#deps = deps;
  }

  /** Null where there is no such profile. */
  profile({ workspace }: Principal, name: string | null): Soon<ProfileView | null> {
    const { revision, upstreams } = this.#deps;
    if (revision === undefined) return upstreams.profile(workspace, name);
    // Here and below taken before reading: a change in between makes the next look read again.
    const now = revision();
    let views = this.#views.get(workspace);
    if (views?.revision !== now) {
      views = { revision: now, byName: new Map() };
      this.#views.set(workspace, views);
    }
    const { byName } = views;
    return byName.get(name) ?? keptView(byName, name, upstreams.profile(workspace, name));
  }

  /** Whether nothing is stopped that has to do with it. @throws AppError `kill_active`, as a rejection */
  mayGo(target: Target): Soon<void> {
    const known = this.#of(target);
    if (known?.mayGo === true) return undefined;
    const checked = this.#deps.kills.check(target.principal, target.server.slug);
    return known === null ? checked : this.#gone(known, checked);
  }

  /** The same without any server. @throws AppError `kill_active`, as a rejection */
  callerMayGo(principal: Principal): Soon<void> {
    const { revision, kills } = this.#deps;
    if (revision === undefined) return kills.check(principal, null);
    const now = revision();
    if (this.#callers.get(principal) === now) return undefined;
    return kills.check(principal, null).then(() => void this.#callers.set(principal, now));
  }

  rules(target: Target): Soon<Rules> {
    const known = this.#of(target);
    if (known?.rules !== undefined) return known.rules;
    const found = this.#deps.rules.rulesOf(target.principal.workspace, target.profile);
    return known === null ? found : this.#ruled(known, found);
  }

  judge(target: Target): Soon<PinJudge> {
    const known = this.#of(target);
    if (known?.judge !== undefined) return known.judge;
    const found = this.#deps.definitions.judge(target.principal.workspace, target.server.slug);
    return known === null ? found : this.#judged(known, found);
  }

  /** @throws AppError `masking_unavailable`, also as a rejection */
  beside(target: Target): Soon<Beside> {
    const known = this.#of(target);
    return known?.beside ?? this.#masked(known, target);
  }

  #of({ principal, profile, server }: Target): Known | null {
    if (this.#deps.revision === undefined) return null;
    const revision = this.#deps.revision();
    let callers = this.#known.get(server);
    const known = callers?.get(principal);
    if (known?.revision === revision && known.profile === profile) return known;
    const fresh: Known = { revision, profile };
    if (callers === undefined) {
      callers = new WeakMap();
      this.#known.set(server, callers);
    }
    callers.set(principal, fresh);
    return fresh;
  }

  async #gone(known: Known, checked: Promise<void>): Promise<void> {
    await checked;
    known.mayGo = true;
  }

  async #ruled(known: Known, found: Promise<Rules>): Promise<Rules> {
    known.rules = await found;
    return known.rules;
  }

  async #judged(known: Known, found: Promise<PinJudge>): Promise<PinJudge> {
    known.judge = await found;
    return known.judge;
  }

  async #masked(known: Known | null, target: Target): Promise<Beside> {
    const { principal, server } = target;
    const { actor, agent, workspace } = principal;
    const rules = this.rules(target);
    const masks = masksBeside(isLater(rules) ? await rules : rules, server.slug, {
      users: actor.kind === 'user' ? [actor.id] : [],
      agents: [agent],
      tokens: actor.kind === 'token' ? [actor.id] : [],
    });
    const maskers = masks.length === 0 ? null : await this.#deps.masks.maskersOf(workspace, masks);
    const beside = { masks, maskers };
    if (known !== null) known.beside = beside;
    return beside;
  }
}

async function keptView(
  byName: Map<string | null, ProfileView>,
  name: string | null,
  found: Promise<ProfileView | null>,
): Promise<ProfileView | null> {
  const view = await found;
  // There are as many as were made.
  if (view !== null) byName.set(name, view);
  return view;
}
