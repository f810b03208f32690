/** Whether upstreams' certificates can be judged: the system's authorities, and those of the configuration. */
import { X509Certificate } from 'node:crypto';
import type { Check } from '../../cli/index.ts';
import type { Machine } from './machine.ts';

/**
 * @param extraCa PEM texts of the configuration, one certificate or several each
 * @param now milliseconds since the Unix epoch
 */
export function checkAuthorities(extraCa: readonly string[], now: number, machine: Machine): Check {
  const name = 'certificate authorities';
  const system = machine.authorities();
  const own = extraCa.flatMap(certificatesIn);
  const found = `${system} of the system${own.length === 0 ? '' : `, ${own.length} of egress.extraCa`}`;
  const useless = own.find(({ validFromDate, validToDate }) => +validToDate < now || +validFromDate > now);
  if (useless !== undefined) {
    const { subject, validFrom, validTo } = useless;
    return {
      name,
      ok: false,
      found: `${found}; ${subject.replaceAll('\n', ', ')} is valid from ${validFrom} to ${validTo} only`,
      fix: 'Put the new certificate in the file that egress.extraCa names.',
    };
  }
  if (system > 0) return { name, ok: true, found };
  return {
    name,
    ok: true,
    found: `${found}: only those that come with Node are trusted`,
    fix: 'sudo apt-get install -y ca-certificates',
  };
}

const certificatesIn = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map(
    (text) => new X509Certificate(text),
  );
