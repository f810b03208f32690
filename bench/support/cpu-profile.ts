/** Reads V8's processor profiles: where the time was, by kind of work and by whose code asked for it. */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

/** Name and microseconds, most first. */
export type Costs = readonly (readonly [name: string, us: number])[];

export interface Breakdown {
  /** Without waiting for events. */
  readonly busyUs: number;
  /** What kind of work it was. */
  readonly byKind: Costs;
  /** The file of ours that was at work, or whose call into the runtime was. */
  readonly byFile: Costs;
  /** The very functions. */
  readonly byFunction: Costs;
}

/** Functions of the runtime that are not JavaScript, by name: they have no address. */
const NATIVE: readonly (readonly [kind: string, name: RegExp])[] = [
  ['TLS and socket writes', /^(write(Latin1String|Utf8String|AsciiString|Buffer|v)|encOut|shutdown)$/],
  ['TLS and socket reads', /^(receive|readStart|readStop|onread|encIn|clearOut)$/],
  [
    'TLS handshakes',
    /^(start|setSession|getPeerCertificate|verifyError|wrap|loadSession|SecureContext|init)$/,
  ],
  ['SQLite', /^(run|get|all|exec|iterate|prepare|StatementSync|DatabaseSync)$/],
  [
    'hashes and ciphers',
    /^(oneShotDigest|update|digest|final|Hash|Hmac|hmacUpdate|sign|verify|CipherBase|randomFillSync|timingSafeEqual)$/,
  ],
  ['compression', /^(init|write|writeSync|flush)$/],
  [
    'text and bytes',
    /Slice$|^(copy|indexOf\w*|fill|compare\w*|byteLengthUtf8|utf8Write\w*|latin1Write\w*|atob|btoa|slowCopy|createFromString|decode|encodeInto|allocUnsafe\w*)$/,
  ],
];

const FOLDER = /\/src\/(.+)\/[^/]+$/;
const FILE = /\/src\/(.+)$/;

function kindOf({ functionName, url }: Frame): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return 'outside JavaScript: event loop, system calls, TLS records';
  const folder = FOLDER.exec(url)?.[1];
  if (folder !== undefined) return `src/${folder}`;
  if (url.includes('node_modules')) return 'dependencies';
  if (url !== '') return runtimeKind(url);
  const found = NATIVE.find(([, name]) => name.test(functionName));
  return found?.[0] ?? 'other native functions';
}

function runtimeKind(url: string): string {
  if (/^node:(internal\/)?(net|tls|stream|_tls|streams)|stream_base|tls\/|streams\//.test(url))
    return "Node's sockets and streams";
  if (/crypto/.test(url)) return "Node's crypto wrappers";
  if (/events|process|timers|async/.test(url)) return "Node's events and queues";
  return 'other JavaScript of Node';
}

const nameOf = ({ functionName, lineNumber, url }: Frame): string => {
  const file = FILE.exec(url)?.[1] ?? url;
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
};

const IDLE = '(idle)';
/** The profiler's own answers. */
const OBSERVER = /node:inspector/;

export function breakdownOf(profile: CpuProfile): Breakdown {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id] as const)),
  );
  /** The nearest frame of ours, from the inside out. */
  const fileOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const file = FILE.exec(nodes.get(at)?.callFrame.url ?? '')?.[1];
      if (file !== undefined) return file;
    }
    return '(nothing of ours)';
  };
  const kinds = new Map<string, number>();
  const files = new Map<string, number>();
  const functions = new Map<string, number>();
  const add = (costs: Map<string, number>, name: string, us: number): void => {
    costs.set(name, (costs.get(name) ?? 0) + us);
  };
  let busyUs = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = nodes.get(id)?.callFrame;
    if (frame === undefined || frame.functionName === IDLE || OBSERVER.test(frame.url)) continue;
    const us = profile.timeDeltas[index] ?? 0;
    busyUs += us;
    add(kinds, kindOf(frame), us);
    add(files, fileOf(id), us);
    add(functions, nameOf(frame), us);
  }
  const sorted = (costs: Map<string, number>): Costs => [...costs].toSorted(([, a], [, b]) => b - a);
  return { busyUs, byKind: sorted(kinds), byFile: sorted(files), byFunction: sorted(functions) };
}
