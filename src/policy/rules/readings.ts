/**
 * What servers may make of a resource's URI: some undo escapes, dots, repeated slashes and upper case, once or more often, and
 * leave out what follows a path. Nobody can tell which does what, so a rule that refuses has to hold for any reading, and one that allows for
 * every one that leads elsewhere.
 */

import { limits } from '../../kernel/index.ts';

/** Escapes within escapes that are undone. */
const DEPTH = 3;
const ESCAPES = /(?:%[0-9a-f]{2})+/gi;
/** What leads out of a folder, however often its escapes are escaped. */
const TRAVERSAL = /(?:^|[/\\:]|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}(?:[/\\?#]|%(?:25)*(?:2f|5c)|$)/i;
/** What the web leaves out wherever it stands: `.\t.` is `..` (https://url.spec.whatwg.org/#url-parsing). */
const BREAKS = /[\t\n\r]|%(?:25)*0[9ad]/gi;
const AFTER_PATH = /[?#].*$/s;

/**
 * @param uri longer ones than `limits.policyUriCharsMax` are to be refused before; of those there is this reading only
 * @returns the URI as it was written first
 */
export function readingsOf(uri: string): readonly string[] {
  if (uri.length > limits.policyUriCharsMax) return [uri];
  const found = new Set([uri]);
  let current = uri;
  for (let depth = 0; depth < DEPTH; depth += 1) {
    for (const plain of normal(current)) found.add(plain);
    const next = undone(current);
    if (next === current) break;
    found.add(next);
    current = next;
  }
  for (const plain of normal(current)) found.add(plain);
  const whole = [...found];
  return [...new Set([...whole, ...whole.map((reading) => reading.replace(AFTER_PATH, ''))])];
}

/** One for all ways to write a URI that servers may take for one: what is counted is counted by it. */
export function plainReading(uri: string): string {
  if (uri.length > limits.policyUriCharsMax) return uri;
  let current = uri;
  for (let depth = 0; depth < DEPTH; depth += 1) current = undone(current);
  return (normal(current).at(-1) ?? current).replace(AFTER_PATH, '');
}

const undone = (uri: string): string =>
  uri.replaceAll(ESCAPES, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'));

/** Whether some reading of it is out of the folder that it names. */
export const leadsElsewhere = (uri: string): boolean => TRAVERSAL.test(uri.replaceAll(BREAKS, ''));

/** As the web reads it, without who asks and with single slashes; none: it is none. Some take backslashes for slashes. */
function normal(uri: string): readonly string[] {
  const slashed = uri.replaceAll('\\', '/');
  return (slashed === uri ? [uri] : [uri, slashed]).flatMap((one) => {
    const url = URL.parse(one);
    if (url === null) return [];
    const { protocol, host, pathname, search, hash, href } = url;
    if (!href.startsWith(`${protocol}//`)) return [href];
    // The web does so only with the schemes that it knows.
    const small = host.toLowerCase();
    return [`${protocol}//${small}${pathname.replaceAll(/\/{2,}/g, '/')}${search}${hash}`];
  });
}
