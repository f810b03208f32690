/** What conditions are told of a request. */
import { CallValue, ClientValue, EgressValue } from './functions.ts';
import { type Measured, readValue } from './hostile-values.ts';
import { Unjudged } from './meter.ts';
import type { RuleRequest } from './request.ts';
import type { Context } from './shortcut.ts';
import { UsageValue } from './usage.ts';

/** What of it a condition looks at. */
interface Asks {
  readonly args: boolean;
  readonly annotations: boolean;
  readonly usage: boolean;
}

/** One request, as the conditions of all rules see it. Arguments are read once, and only where somebody asks. */
export class Facts {
  readonly #request: RuleRequest;
  readonly #read = new Map<string, Measured | Unjudged>();
  #context: { [name: string]: unknown } | null = null;

  constructor(request: RuleRequest) {
    this.#request = request;
  }

  /** @throws Unjudged where there is none, or too much of it */
  measured(name: 'args' | 'annotations'): Measured {
    const known = this.#read.get(name) ?? this.#readNow(name);
    this.#read.set(name, known);
    if (known instanceof Unjudged) throw known;
    return known;
  }

  #readNow(name: 'args' | 'annotations'): Measured | Unjudged {
    const label = name === 'args' ? 'the arguments' : 'the annotations';
    try {
      return readValue(this.#request[name] ?? '{}');
    } catch (error) {
      return new Unjudged(`${label} cannot be judged: ${error instanceof Error ? error.message : 'unknown'}`);
    }
  }

  /** @throws Unjudged */
  context({ args, annotations, usage }: Asks): Context {
    const context = (this.#context ??= this.#start());
    if (args) context['args'] ??= this.measured('args').value;
    if (annotations) context['annotations'] ??= this.measured('annotations').value;
    if (usage) context['usage'] ??= new UsageValue(this.#request.usage);
    return context;
  }

  #start(): { [name: string]: unknown } {
    const { subject, server, profile, name, users, agents, clientIp, egress, now } = this.#request;
    return {
      call: new CallValue({ subject, server, profile, ...(subject === 'egress' ? {} : { [subject]: name }) }),
      user: users[0] ?? '',
      agent: agents[0] ?? '',
      client: new ClientValue(clientIp),
      now: new Date(now),
      ...(egress === undefined
        ? {}
        : {
            egress: new EgressValue({
              host: name,
              method: egress.methods[0] ?? '',
              path: egress.path,
              ...(egress.bytes === undefined ? {} : { bytes: BigInt(egress.bytes) }),
            }),
          }),
    };
  }
}
