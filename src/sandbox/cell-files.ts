/** The few files of `/etc` that programs cannot do without, made for the cell; the host's own are never shown. */
import { cellPaths, cellResolver, cellUserId } from './cell-layout.ts';
import { javaTruststore } from './java-truststore.ts';

export interface MadeFile {
  /** Absolute path in the cell. */
  readonly path: string;
  readonly content: Buffer;
}

const texts: Readonly<Record<string, string>> = {
  '/etc/resolv.conf': `nameserver ${cellResolver}\n`,
  '/etc/hosts': '127.0.0.1 localhost cell\n::1 localhost cell\n',
  '/etc/passwd': `root:x:0:0::/root:/usr/sbin/nologin\ncell:x:${cellUserId}:${cellUserId}::${cellPaths.home}:/bin/sh\n`,
  '/etc/group': `root:x:0:\ncell:x:${cellUserId}:\n`,
  '/etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

/** Links that lead to the same bundle from where other distributions keep theirs. */
export const caBundleLinks: readonly string[] = [
  '/etc/ssl/cert.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
];

/**
 * The last one is the script: without it nothing is executed in a cell, so it is the last that is delivered.
 *
 * @param caPem the cell's certificate authority: the only one in there
 * @param start text of the script that ends in the cell's program
 */
export function madeFiles(caPem: string, start: string): readonly MadeFile[] {
  return [
    ...Object.entries(texts).map(([path, text]) => ({ path, content: Buffer.from(text) })),
    { path: cellPaths.caBundle, content: Buffer.from(caPem) },
    { path: cellPaths.javaTruststore, content: javaTruststore(caPem) },
    { path: cellPaths.start, content: Buffer.from(start) },
  ];
}
