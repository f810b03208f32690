/** All detectors, and the groups that rules may name them by. */
import { type Detector, isWordDetector } from '../detector.ts';
import { email } from './email.ts';
import { iban } from './iban.ts';
import { ipv4, ipv6 } from './ip-address.ts';
import { jsonWebToken } from './json-web-token.ts';
import { providerKeys } from './keys/index.ts';
import { authorization, namedSecret, urlPassword } from './named-secret.ts';
import { nationalIds } from './national/index.ts';
import { paymentCard } from './payment-card.ts';
import { areaCodePhone, internationalPhone, nationalPhone } from './phone.ts';
import { privateKey, puttyKey } from './private-key.ts';

export const DETECTORS: readonly Detector[] = [
  ...providerKeys,
  privateKey,
  puttyKey,
  jsonWebToken,
  urlPassword,
  authorization,
  namedSecret,
  email,
  paymentCard,
  iban,
  ...nationalIds,
  ipv4,
  ipv6,
  internationalPhone,
  areaCodePhone,
  nationalPhone,
];

const namesOf = (detectors: readonly Detector[]): readonly string[] => [
  ...new Set(detectors.map(({ name }) => name)),
];

/** By the name of a group: the detectors in it. */
export const GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ['all', namesOf(DETECTORS)],
  ['secrets', namesOf(DETECTORS.filter(({ kind }) => kind === 'secret'))],
  ['personal', namesOf(DETECTORS.filter(({ kind }) => kind === 'personal'))],
  ['provider-keys', namesOf(providerKeys)],
  ['private-keys', namesOf([privateKey, puttyKey])],
  ['national-ids', namesOf(nationalIds)],
]);

/** Detectors that stay certain when texts are put together that were apart. */
export const JOINED: ReadonlySet<string> = new Set(
  namesOf(DETECTORS.filter((detector) => isWordDetector(detector) && detector.isJoined)),
);
