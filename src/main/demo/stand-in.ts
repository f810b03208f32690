/**
 * A local HTTPS service that stands for api.github.com: the demo needs no account and no internet. It remembers what
 * credentials it was sent, and gives one back when it is asked about `reflection`, as a careless API might.
 */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
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
  const { caPem, certPem, keyPem } = await makeCertificate(host);
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

async function makeCertificate(host: string): Promise<{ caPem: string; certPem: string; keyPem: string }> {
  const caKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const validity = {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
  };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=Demo authority',
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const cert = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: `CN=${host}`,
    issuer: ca.subject,
    signingKey: caKeys.privateKey,
    publicKey: keys.publicKey,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    caPem: ca.toString('pem'),
    certPem: cert.toString('pem'),
    keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  };
}
