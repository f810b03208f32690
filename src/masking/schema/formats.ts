/** Texts of a certain form, as JSON Schema names it: whether one is, and one that nobody takes for a value. */

interface Format {
  readonly fits: (text: string) => boolean;
  /** Says nothing of what it stands for. */
  readonly standIn: string;
  /** Whether somebody may take it for a value: a member that may be left out is left out in its place. */
  readonly misleads?: true;
}

const like =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

const HOST = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;
const EMAIL = /^[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;
const DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;
const TIME = /^\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:z|[+-]\d{2}:?\d{2})?$/i;
const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const IPV6 = /^(?=.*:.*:)[\da-f:.]{2,45}$/i;

const email: Format = { fits: like(EMAIL), standIn: 'masked@masked.invalid' };
const uri: Format = {
  fits: (text) => /^[a-z][\w+.-]*:[^\s[\]<>"{}|\\^`]*$/i.test(text),
  standIn: 'masked:value',
};
const reference: Format = { fits: like(/^[^\s[\]<>"{}|\\^`]*$/), standIn: 'masked:value' };
const hostname: Format = { fits: like(HOST), standIn: 'masked.invalid' };

export const FORMATS: Readonly<Record<string, Format>> = {
  email,
  'idn-email': email,
  uri,
  url: uri,
  iri: uri,
  'uri-reference': reference,
  'iri-reference': reference,
  hostname,
  'idn-hostname': hostname,
  uuid: { fits: like(UUID), standIn: '00000000-0000-0000-0000-000000000000' },
  ipv4: { fits: like(IPV4), standIn: '0.0.0.0' },
  ipv6: { fits: like(IPV6), standIn: '::' },
  date: { fits: like(DATE), standIn: '1970-01-01', misleads: true },
  'date-time': {
    fits: (text) => DATE.test(text.slice(0, 10)) && /^t$/i.test(text.charAt(10)) && TIME.test(text.slice(11)),
    standIn: '1970-01-01T00:00:00Z',
    misleads: true,
  },
  time: { fits: like(TIME), standIn: '00:00:00Z', misleads: true },
  duration: { fits: like(/^P(?!$)[\dYMWDTHS.]+$/), standIn: 'PT0S', misleads: true },
};
