/** Where things are inside every cell. Fixed, so that manifests and logs can rely on it. */
export const cellPaths = {
  /** Holds the gateway's Node as `node`; first on `PATH`. */
  bin: '/sallyport/bin',
  /** The script that ends in the cell's program. */
  start: '/sallyport/start',
  /** The package's folder. */
  package: '/package',
  home: '/home/cell',
  tmp: '/tmp',
  /** The certificate authority, at the place where Debian's programs look. */
  caBundle: '/etc/ssl/certs/ca-certificates.crt',
  caFolder: '/etc/ssl/certs',
  javaTruststore: '/etc/ssl/certs/java/cacerts',
} as const;

/** Folders that a program named without a path is looked for in. */
export const cellPathList: readonly string[] = [
  cellPaths.bin,
  `${cellPaths.package}/node_modules/.bin`,
  `${cellPaths.package}/venv/bin`,
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
];

/** User and group inside the cell; on the host it is the cell's own, or the gateway's when that is not root. */
export const cellUserId = 65_534;

/**
 * The resolver that programs find in `/etc/resolv.conf`. Any address would do, since every address in a cell leads
 * to Sallyport; this one (TEST-NET-1, RFC 5737) can never be meant for anything else.
 */
export const cellResolver = '192.0.2.53';
