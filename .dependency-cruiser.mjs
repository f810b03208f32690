// The folder table of docs/architecture.md as rules. Project references already refuse an import from a folder that is not
// referenced; this adds cycles, reachability, index-only entry, and who may use which of Node's modules.
const folders = {
  kernel: [],
  wire: ['kernel'],
  manifest: ['kernel', 'wire'],
  policy: ['manifest', 'masking', 'kernel', 'wire'],
  masking: ['kernel', 'wire'],
  seal: ['kernel'],
  audit: ['kernel'],
  delivery: ['audit', 'kernel'],
  alerts: ['audit', 'kernel'],
  usage: ['audit', 'kernel'],
  store: ['kernel'],
  recording: ['policy', 'masking', 'seal', 'wire', 'kernel'],
  vault: ['seal', 'audit', 'store', 'policy', 'kernel'],
  identity: ['vault', 'audit', 'store', 'wire', 'kernel'],
  egress: ['policy', 'audit', 'wire', 'kernel'],
  'http-api': ['manifest', 'wire', 'kernel'],
  oauth: ['wire', 'kernel'],
  sandbox: ['policy', 'manifest', 'wire', 'kernel'],
  mcp: ['policy', 'masking', 'audit', 'wire', 'kernel'],
  api: ['vault', 'identity', 'policy', 'audit', 'manifest', 'http-api', 'wire', 'kernel'],
  cli: ['kernel', 'wire', 'api'],
};

/** Only these may load the module; everything else may not. */
const builtins = [
  {
    name: 'ciphers',
    module: '^(node:)?crypto$',
    allowed:
      '^src/(kernel/(random|secret)|seal/|audit/|manifest/(content-hash|v1/shapes)|identity/|oauth/pkce|delivery/standard-webhook|egress/(ca/|inject/sign)|sandbox/package|mcp/(pinning/definition-hash|masking/keyed-hash)|main/)',
  },
  { name: 'processes', module: '^(node:)?child_process$', allowed: '^src/(sandbox/|main/|cli/)' },
  {
    name: 'sockets',
    module: '^(node:)?(net|tls|http|https|http2|dns|dgram)(/promises)?$',
    allowed: '^src/(egress/|sandbox/|mcp/|main/)',
  },
  {
    name: 'database',
    module: '^(node:sqlite|kysely|pg)$',
    allowed: '^src/(store/|seal/lock-file)',
  },
];

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.d\\.ts$', '^src/main/bin\\.ts$', '^src/sandbox/.*setup'] },
      to: {},
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'egress-never-reaches-the-store',
      comment: 'The data plane gets credentials through a port; it has no way to the database.',
      severity: 'error',
      from: { path: '^src/egress/' },
      to: { path: '^src/(store|vault|seal)/', reachable: true },
    },
    {
      name: 'index-only-entry',
      comment:
        'A folder is used through its index.ts; the API by its client alone, too, which loads nothing of the rest.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/.+', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$', '^src/api/client\\.ts$'] },
    },
    ...Object.entries(folders).map(([folder, allowed]) => ({
      name: `layer-${folder}`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: [`^src/${folder}/`, ...allowed.map((other) => `^src/${other}/`)] },
    })),
    ...builtins.map(({ name, module, allowed }) => ({
      name: `builtin-${name}`,
      severity: 'error',
      from: { path: '^src/', pathNot: allowed },
      to: { path: module },
    })),
  ],
  options: {
    // TypeScript 7 has no compiler API in JavaScript; without this parser the checker would see no module at all.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
