/** What a request is about, where that is one thing: by its server's own name of it where that is known, as the record has it. */
import type { Subject } from '../../policy/index.ts';
import { paramString, type RpcRequest } from '../protocol/message.ts';
import type { CallRefusal } from '../ports/call-audit.ts';

export interface Named {
  readonly subject: Exclude<Subject, 'egress'>;
  readonly name: string;
}

/** Null: it is about no such thing, or does not say which. */
export function namedBy(message: RpcRequest): Named | null {
  switch (message.method) {
    case 'tools/call':
      return named('tool', paramString(message, 'name'));
    case 'prompts/get':
      return named('prompt', paramString(message, 'name'));
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return named('resource', paramString(message, 'uri'));
    case 'completion/complete':
      return paramString(message, 'ref', 'type') === 'ref/prompt'
        ? named('prompt', paramString(message, 'ref', 'name'))
        : named('resource', paramString(message, 'ref', 'uri'));
    default:
      return null;
  }
}

const named = (subject: Named['subject'], name: string | null): Named | null =>
  name === null ? null : { subject, name };

/** As it is recorded that it was refused. */
export function refusedThing({ subject, name }: Named): Pick<CallRefusal, 'tool' | 'prompt' | 'resource'> {
  if (subject === 'tool') return { tool: name };
  return subject === 'prompt' ? { tool: null, prompt: name } : { tool: null, resource: name };
}
