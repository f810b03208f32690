/**
 * A gateway with all of governance at work: a hundred rules, a tenth of them about the server that is called and judged by
 * the arguments of each call, masking with every detector and by key, and recordings with arguments. None of it refuses the
 * calls of the benchmarks, or masks what they say.
 */
const RULES = 98;
const SERVERS = ['echo', ...Array.from({ length: 9 }, (_, index) => `other${index}`)];
/** Of rules, about arguments. */
export const CONDITIONS = [
  'has(args.branch) && args.branch in ["main", "master"]',
  'has(args.amount) && args.amount > 1000',
  'call.tool.startsWith("delete_") && agent != "ops"',
  'size(texts(args)) > 40',
  'has(args.title) && args.title.contains("[skip]")',
];

const rules: readonly object[] = [
  ...Array.from({ length: RULES }, (_, index) => ({
    id: `rule-${index}`,
    match: { servers: [SERVERS[index % SERVERS.length]] },
    on: 'tool',
    when: CONDITIONS[Math.floor(index / SERVERS.length) % CONDITIONS.length],
    do: 'deny',
  })),
  { id: 'detected', do: 'mask', mask: { detectors: ['secrets', 'personal'] } },
  { id: 'passwords', do: 'mask', mask: { keys: ['password', 'ssn'] } },
];

/** What its home has, by the name of the file. */
export const governedHome: Readonly<Record<string, string>> = {
  'policy.yaml': JSON.stringify({ rules }),
  'sallyport.yaml': 'listen: 127.0.0.1:0\nrecording: { level: arguments }\n',
};
