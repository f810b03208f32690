/**
 * A local HTTPS service that stands for api.github.com: the demo needs no account and no internet. It remembers what
 * credentials it was sent, and gives one back when it is asked about `reflection`, as a careless API might.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type KeyPair, leafCertificate, rootCertificate, toPem } from '../../egress/index.ts';
import { systemClock, systemRandom } from '../../kernel/index.ts';

const DAY_MS = 86_400_000;

export interface StandIn {
  readonly port: number;
  /** PEM of the authority that signed its certificate. */
  readonly caPem: string;
  /** Every `Authorization` header that arrived, in order. */
  readonly authorizations: readonly string[];
  close(): Promise<void>;
}

export async function startStandIn(host: string): Promise<StandIn> {
  const { caPem, certPem, keyPem } = makeIdentity(host);
  const authorizations: string[] = [];
  const server: Server = createServer({ key: keyPem, cert: certPem }, (req, res) => {
    const authorization = req.headers.authorization ?? '';
    authorizations.push(authorization);
    const url = new URL(req.url ?? '/', `https://${host}`);
    const query = url.searchParams.get('q') ?? '';
    res.setHeader('content-type', 'application/json');
    if (url.pathname !== '/search/repositories') {
      res.statusCode = 404;
      res.end('{"message":"Not Found"}');
      return;
    }
    const description =
      query === 'reflection'
        ? `you sent me ${authorization}`
        : 'A double door: one never opens while the other is open';
    res.end(JSON.stringify({ total_count: 1, incomplete_results: false, items: [repository(description)] }));
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    caPem,
    authorizations,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** The fields that the real server insists on. */
function repository(description: string): unknown {
  return {
    id: 1,
    node_id: 'R_1',
    name: 'sallyport',
    full_name: 'castle/sallyport',
    private: false,
    owner: {
      login: 'castle',
      id: 2,
      node_id: 'U_2',
      avatar_url: 'https://avatars.test/2',
      url: 'https://api.github.com/users/castle',
      html_url: 'https://github.com/castle',
      type: 'User',
    },
    html_url: 'https://github.com/castle/sallyport',
    description,
    fork: false,
    url: 'https://api.github.com/repos/castle/sallyport',
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    pushed_at: '2026-01-01T00:00:00Z',
    git_url: 'git://github.com/castle/sallyport.git',
    ssh_url: 'git@github.com:castle/sallyport.git',
    clone_url: 'https://github.com/castle/sallyport.git',
    default_branch: 'main',
  };
}

interface Identity {
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** A certificate for `host` from an authority that is made for it and forgotten. */
function makeIdentity(host: string): Identity {
  const newKey = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [root, leaf] = [newKey(), newKey()];
  const keyId = Buffer.concat([Buffer.of(1), systemRandom.bytes(15)]);
  const validity = { notBefore: systemClock.now() - DAY_MS, notAfter: systemClock.now() + DAY_MS };
  const commonName = 'Sallyport demo authority';
  const ca = rootCertificate({ commonName, key: root, serial: keyId, validity, permittedNames: [host] });
  const cert = leafCertificate({
    name: host,
    publicKey: leaf.publicKey,
    serial: Buffer.of(2),
    validity,
    issuer: { commonName, keyId, privateKey: root.privateKey },
  });
  const keyPem = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { caPem: toPem(ca), certPem: toPem(cert), keyPem };
}
