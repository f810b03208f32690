/** What a client said that it can do: which requests of servers it answers, and whether it says more than the protocol has words for. */
import type { ClientFacts } from './client-facts.ts';
import { paramString, type RpcRequest } from '../protocol/message.ts';
import { find } from '../protocol/raw-json.ts';

/** Capabilities that say so. */
const ANSWERED_BY: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
};

/** Those that may stand in an `input_required` result. */
export const isInputMethod = (method: string): boolean => Object.hasOwn(ANSWERED_BY, method);

/** Of a method that no capability is about, it is not known, and the client is asked. */
export function isAnswered({ capabilitiesText }: ClientFacts, request: RpcRequest): boolean {
  const declares = (...path: readonly string[]): boolean => find(capabilitiesText, 0, path) !== null;
  const capability = ANSWERED_BY[request.method];
  if (capability === undefined) return true;
  if (!declares(capability)) return false;
  if (capability !== 'elicitation') return true;
  // One that names no mode means forms: the revisions before 2025-11-25 had nothing else.
  return paramString(request, 'mode') === 'url'
    ? declares('elicitation', 'url')
    : declares('elicitation', 'form') || !declares('elicitation', 'url');
}

/** All that revisions have in capabilities of clients, but for what is free: extensions, and what is experimental. */
const WORDS: ReadonlySet<string> = new Set([
  'sampling',
  'context',
  'tools',
  'elicitation',
  'form',
  'applyDefaults',
  'url',
  'roots',
  'listChanged',
  'tasks',
  'list',
  'cancel',
  'requests',
  'createMessage',
  'create',
]);

/** Whether a client's capabilities are the protocol's own words: nothing can be told a server in them. */
export const isPlain = ({ capabilitiesText }: ClientFacts): boolean =>
  isOfWords(JSON.parse(capabilitiesText));

const isOfWords = (value: unknown): boolean =>
  typeof value === 'boolean' ||
  (typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, below]) => WORDS.has(name) && isOfWords(below)));

/** The capability, as a client would name it, that answering such a request takes; null where none is about it. */
export function abilityFor(request: RpcRequest): string | null {
  const capability = ANSWERED_BY[request.method];
  if (capability === undefined) return null;
  const mode = paramString(request, 'mode') === 'url' ? 'url' : 'form';
  return `"${capability}":${capability === 'elicitation' ? `{"${mode}":{}}` : '{}'}`;
}
