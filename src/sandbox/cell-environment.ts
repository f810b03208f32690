/** The whole environment of a cell's program. */
import { cellPathList, cellPaths } from './cell-layout.ts';

/** What a manifest may change. */
const defaults = { LANG: 'C.UTF-8', TZ: 'UTC' } as const;

/**
 * What it may not: the places of the cell, and what makes each runtime trust Sallyport's certificate authority.
 * Node adds the file to its own list; the others replace theirs, which is right: whatever a cell connects to,
 * it is Sallyport that answers, so no other authority has a use in there.
 */
const fixed = {
  PATH: cellPathList.join(':'),
  HOME: cellPaths.home,
  TMPDIR: cellPaths.tmp,
  USER: 'cell',
  LOGNAME: 'cell',
  NODE_EXTRA_CA_CERTS: cellPaths.caBundle,
  SSL_CERT_FILE: cellPaths.caBundle,
  SSL_CERT_DIR: cellPaths.caFolder,
  REQUESTS_CA_BUNDLE: cellPaths.caBundle,
  CURL_CA_BUNDLE: cellPaths.caBundle,
  GIT_SSL_CAINFO: cellPaths.caBundle,
  AWS_CA_BUNDLE: cellPaths.caBundle,
  DENO_CERT: cellPaths.caBundle,
  // Two that bring authorities of their own: gRPC outside of Node, and the library of Google's older clients.
  GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: cellPaths.caBundle,
  HTTPLIB2_CA_CERTS: cellPaths.caBundle,
  JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${cellPaths.javaTruststore} -Djavax.net.ssl.trustStoreType=PKCS12`,
} as const;

/** @param settings the manifest's values and the placeholders */
export function cellEnvironment(
  settings: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...defaults, ...settings, ...fixed };
}
