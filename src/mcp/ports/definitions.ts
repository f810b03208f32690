/** What servers say of themselves, and what somebody agreed to of it. */
import type { WorkspaceId } from '../../kernel/index.ts';

export type DefinitionKind = 'tool' | 'prompt' | 'instructions';

/** Something that a server tells agents of itself. */
export interface SeenDefinition {
  readonly kind: DefinitionKind;
  /** The server's own name of it; empty for its instructions. */
  readonly name: string;
  /** As the server gave it: JSON. Of instructions the string, or `null`. */
  readonly text: string;
  readonly hash: string;
}

/** A tool as somebody agreed to it. */
export type ApprovedTool = Pick<SeenDefinition, 'name' | 'text' | 'hash'>;

/** `unseen`: nobody has looked at this server yet. */
export type PinVerdict = 'approved' | 'new' | 'changed' | 'unseen';

/** What was agreed to. Asked at every request: answer from memory where possible. */
export interface Definitions {
  /** How to judge what a server shows now. */
  judge(
    workspace: WorkspaceId,
    slug: string,
  ): Promise<(seen: Pick<SeenDefinition, 'kind' | 'name' | 'hash'>) => PinVerdict>;
  /**
   * The tools that somebody agreed to: the same array as long as they stay the same. Asked at every search.
   *
   * @returns null where nobody has looked at this server yet
   */
  approvedTools(workspace: WorkspaceId, slug: string): Promise<readonly ApprovedTool[] | null>;
  /**
   * The instructions of a server that somebody agreed to: a JSON string, or `null` where it has none.
   *
   * @returns null where nobody agreed to any
   */
  approvedInstructions(workspace: WorkspaceId, slug: string): Promise<string | null>;
  /** Takes note of what a server shows and nobody agreed to. Must not throw, and may be told the same again and again. */
  withheld(workspace: WorkspaceId, slug: string, seen: readonly SeenDefinition[]): void;
  /** Told the slug of a server that has other approved definitions from now on. Returns the way to stop listening. */
  onApproved(listener: (slug: string) => void): () => void;
}
