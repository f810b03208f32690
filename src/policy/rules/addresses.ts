/** Recipients, links and domains in texts of arguments. What is no address is not left out: whoever asks for strangers is told of it. */
import { parseHostname } from '../../wire/index.ts';
import { bounded, charge } from './meter.ts';
import { textsOf } from './texts.ts';

/** A longer part of an address is none that any mail server takes (RFC 5321 4.5.3.1). */
const ADDRESS_PART_CHARS_MAX = 255;
const ENDS_ADDRESS = new Set(' \t\r\n<>,;:"()[]\\@\'');

/**
 * Everybody who is named in a value: each address in its texts, and each piece between commas that has none, because a
 * list or a group may be meant by it.
 */
export const recipientsOf = (value: unknown): string[] => bounded(namedIn(value));

function* namedIn(value: unknown): Generator<string> {
  for (const text of textsOf(value)) {
    /** The first half of a quoted name with a comma in it, whose address is to come. */
    let opening = '';
    for (const [piece] of text.matchAll(PIECE)) {
      const rest = piece.trim();
      let isAddress = false;
      for (const address of addressesIn(piece)) {
        isAddress = true;
        yield address;
      }
      if (isAddress) opening = '';
      else if (opening === '' && /^"[^"]*$/.test(rest)) opening = rest;
      else if (rest !== '') yield rest;
    }
    if (opening !== '') yield opening;
  }
}

/** Between commas, semicolons and line ends. */
const PIECE = /[^,;\n]+/g;

/** E-mail addresses in a value, in its order. */
export const emailsOf = (value: unknown): string[] => bounded(addressesAnywhere(value));

function* addressesAnywhere(value: unknown): Generator<string> {
  for (const text of textsOf(value)) yield* addressesIn(text);
}

function* addressesIn(text: string): Generator<string> {
  charge(text.length);
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > 0 && at - start < ADDRESS_PART_CHARS_MAX && !ENDS_ADDRESS.has(text.charAt(start - 1)))
      start -= 1;
    let end = at + 1;
    while (end < text.length && end - at <= ADDRESS_PART_CHARS_MAX && !ENDS_ADDRESS.has(text.charAt(end)))
      end += 1;
    if (end > at + 1) yield text.slice(start, end).toLowerCase();
  }
}

const LINK = /(?:https?|wss?|ftp):[/\\]*|(?:^|[\s"'(<=])[/\\]{2}/gi;
const ENDS_HOST = /[/\\?#\s"'<>)\]},;]/;

/** Hosts of the links in a value, in canonical form where they have one. */
export const linkedHostsOf = (value: unknown): string[] => bounded(linksIn(value));

function* linksIn(value: unknown): Generator<string> {
  for (const text of textsOf(value)) {
    yield* hostsIn(text);
    const joined = text.trim().replaceAll(BREAKS, '');
    if (joined.length < text.length && ONE_LINK.test(joined)) yield* hostsIn(joined);
  }
}

/** What the web's readers of links leave out wherever it stands (https://url.spec.whatwg.org/#url-parsing). */
const BREAKS = /[\t\n\r]/g;
const ONE_LINK = /^(?:https?|wss?|ftp):(?!\S*:\/\/)\S*$/i;

function* hostsIn(text: string): Generator<string> {
  charge(text.length);
  for (const { index, 0: opening } of text.matchAll(LINK)) {
    const rest = text.slice(index + opening.length, index + opening.length + 2_000);
    const authority = rest.slice(0, endOf(rest));
    const host = canonical(authority);
    yield host;
    const onTheWeb = hostOnTheWeb(authority);
    if (onTheWeb !== '' && onTheWeb !== host) yield onTheWeb;
  }
}

/** As the web reads it: escapes undone, numbers made addresses; empty where it is no host there. */
const hostOnTheWeb = (authority: string): string =>
  URL.parse(`https://${authority}`)?.hostname.replace(/\.$/, '') ?? '';

function endOf(rest: string): number {
  const at = rest.search(ENDS_HOST);
  return at < 0 ? rest.length : at;
}

/** The domain of an e-mail address, of a link, or of a host; empty where there is none. */
export function domainOf(text: string): string {
  charge(text.length);
  const scheme = /^[a-z][a-z0-9+.-]{0,20}:[/\\]+/i.exec(text);
  if (scheme === null) return domainName(text.slice(text.lastIndexOf('@') + 1));
  const rest = text.slice(scheme[0].length);
  const authority = rest.slice(0, endOf(rest));
  return domainName(canonical(authority)) || domainName(hostOnTheWeb(authority));
}

function domainName(raw: string): string {
  const name = parseHostname(raw.trim());
  return name.ok ? name.value : '';
}

/** Without user, password and port. */
function canonical(authority: string): string {
  const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:[0-9]*$/, '');
  const name = parseHostname(host);
  return name.ok ? name.value : host.toLowerCase();
}

/** Whether a domain is one of these, or below one of them. */
export function within(domain: string, domains: readonly unknown[]): boolean {
  return domains.some((one) => {
    const name = typeof one === 'string' ? domainName(one) : '';
    return name !== '' && (domain === name || domain.endsWith(`.${name}`));
  });
}
