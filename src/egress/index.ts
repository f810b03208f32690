/** Egress: the data plane. What it needs from outside is in `ports.ts`; what it offers is here. */
export { type KeyPair, leafCertificate, rootCertificate, toPem } from './ca/certificate.ts';
export { certificateFingerprints, parseRevocationLists } from './ca/revocation.ts';
export type { ProxyConfig } from './upstream/dial-proxy.ts';
export { NO_CALLS } from './correlation.ts';
export { createEgress, type Egress, type EgressConfig, type EgressDeps } from './egress.ts';
export { listenedPorts } from './listened-ports.ts';
export type * from './ports.ts';
export { createScrubSet, scrubText } from './scrub/index.ts';
export type { Echo, ProbedCredential, ProbeOptions, ProbeResult, ProbeSpec } from './probe/index.ts';
