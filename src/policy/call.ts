/**
 * Whether a tool may be called, and which tools are shown. Pure: it is handed every fact, and a fact that is
 * missing denies. What is shown and what may be called are decided by the same rules.
 */
import { type Permission, type Refusal, refuse } from './decision.ts';
import { decideKill, type Kill } from './kill.ts';

export interface CallRequest {
  readonly workspace: string;
  readonly profile: string;
  /** The server's slug. */
  readonly server: string;
  /** The tool's own name at the server, without the server's prefix. */
  readonly tool: string;
  /** Token id of the caller, where there is one. */
  readonly token?: string;
  /** User id of the caller, where there is one. */
  readonly user?: string;
}

/** What the server says about a tool. Its word is enough to show a tool, never to grant it a credential. */
export interface ToolFacts {
  readonly name: string;
  readonly annotations?: { readonly readOnlyHint?: boolean };
}

/** Tools of one server in a profile: a list, all of them, or the manifest's choice. */
export type ToolChoice = readonly string[] | '*' | null;

export interface CallFacts {
  readonly serverEnabled: boolean;
  /** The profile's entry for this server; `undefined` when it has none. */
  readonly choice: ToolChoice | undefined;
  /** The manifest's default list; `undefined` when it has none. */
  readonly defaultTools: readonly string[] | undefined;
  /** The tool as the server lists it; `undefined` when it does not. */
  readonly tool: ToolFacts | undefined;
  readonly kills: readonly Kill[];
}

export type CallRefusalCode =
  | 'kill_active'
  | 'server_not_selected'
  | 'server_disabled'
  | 'tool_unknown'
  | 'tool_not_selected';

export type Decision = Permission | Refusal<CallRefusalCode>;

/** The strictest reason first: a kill, then the server, then the tool. */
export function decideCall(request: CallRequest, facts: CallFacts): Decision {
  const { profile, server, tool } = request;
  const kill = decideKill(facts.kills, request);
  if (!kill.allow) return kill;
  if (facts.choice === undefined) {
    return refuse(
      'server_not_selected',
      `Profile ${profile} does not include the server ${server}.`,
      `Add it with: sallyport profile set ${profile} --server ${server}`,
    );
  }
  if (!facts.serverEnabled) {
    return refuse(
      'server_disabled',
      `The server ${server} is disabled.`,
      `Enable it with: sallyport server enable ${server}`,
    );
  }
  if (facts.tool === undefined) {
    return refuse(
      'tool_unknown',
      `The server ${server} has no tool named ${tool}.`,
      `See what it has with: sallyport server tools ${server}`,
    );
  }
  if (isSelected(facts.tool, facts.choice, facts.defaultTools)) return { allow: true };
  return refuse('tool_not_selected', unselectedMessage(request, facts), selectHint(request, facts));
}

function unselectedMessage({ profile, server, tool }: CallRequest, facts: CallFacts): string {
  if (facts.choice !== null) return `Profile ${profile} does not select the tool ${tool} of ${server}.`;
  if (facts.defaultTools !== undefined)
    return `The tool ${tool} is not among the default tools of ${server}.`;
  return `The tool ${tool} of ${server} does not say that it only reads, and nothing selects it.`;
}

/** With the whole list, because what is set takes the place of what was shown before. */
function selectHint({ profile, server, tool }: CallRequest, { choice, defaultTools }: CallFacts): string {
  const shown = Array.isArray(choice) ? choice : defaultTools;
  const command = `sallyport profile set ${profile} --server ${server}:${[...(shown ?? []), tool].join(',')}`;
  return shown === undefined
    ? `Select it, with every other tool that is to be shown: ${command}`
    : `Select it with: ${command}`;
}

/** Whether a choice covers a tool; `null` falls back to the manifest's list, and that to read-only tools. */
export function isSelected(
  tool: ToolFacts,
  choice: ToolChoice,
  defaultTools: readonly string[] | undefined,
): boolean {
  if (choice === '*') return true;
  const names = choice ?? defaultTools;
  return names === undefined ? tool.annotations?.readOnlyHint === true : names.includes(tool.name);
}

/** The tools that a profile shows of one server, in the server's order: exactly those that may be called. */
export function visibleTools<Tool extends ToolFacts>(
  tools: readonly Tool[],
  facts: Pick<CallFacts, 'serverEnabled' | 'choice' | 'defaultTools'>,
): readonly Tool[] {
  const { choice } = facts;
  if (choice === undefined || !facts.serverEnabled) return [];
  return tools.filter((tool) => isSelected(tool, choice, facts.defaultTools));
}
