/** E-mail addresses. What has their form, but is a file, a package, or a login of a repository, is none. */
import { isAlphanumeric, isHost, isLocalPart } from '../char-class.ts';
import type { WordDetector } from '../detector.ts';

/** RFC 5321 section 4.5.3.1. */
const LOCAL_PART_MAX = 64;
const HOST_MAX = 253;
/** Last labels that are extensions of files. */
const FILES =
  /\.(?:png|jpe?g|gif|webp|svg|ico|css|js|mjs|cjs|ts|tsx|jsx|json|map|html?|md|txt|ya?ml|lock|py|rs|go|java|rb|php|sh|exe|dll|so|zip|gz|tgz|pdf|csv|log|local|internal|lan)$/i;
/** What stands before a password in a URL, which ends where an address would. */
const USER_INFO = /:\/\/[^\s/@]*:$/;
const HOST_NAME =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})$/;

export const email: WordDetector = {
  name: 'email',
  kind: 'personal',
  isJoined: false,
  words: ['@'],
  match: ({ text, from, to }, at, end) => {
    if (at === from || !isLocalPart(text.charCodeAt(at - 1)) || text.charAt(at - 1) === '.') return null;
    if (end >= to || !isAlphanumeric(text.charCodeAt(end))) return null;
    let start = at;
    while (start > from && at - start < LOCAL_PART_MAX && isLocalPart(text.charCodeAt(start - 1))) start -= 1;
    // What may begin a word in a text, a URL's query, or a template, seldom begins an address.
    while (start < at && !isAlphanumeric(text.charCodeAt(start)) && text.charAt(start) !== '_') start += 1;
    const cut = text.slice(start, at).search(/[^=&?#{}|'%/]*$/);
    start += cut;
    if (
      start > from &&
      text.charAt(start - 1) === ':' &&
      USER_INFO.test(text.slice(Math.max(from, start - LOCAL_PART_MAX * 2), start))
    )
      return null;
    let stop = end;
    while (stop < to && stop - end <= HOST_MAX && isHost(text.charCodeAt(stop))) stop += 1;
    while (stop > end && !isAlphanumeric(text.charCodeAt(stop - 1))) stop -= 1;
    const host = text.slice(end, stop);
    if (start === at || !HOST_NAME.test(host) || FILES.test(host)) return null;
    const isRepository =
      text.slice(start, at) === 'git' && (text.charAt(stop) === ':' || text.charAt(stop) === '/');
    return isRepository ? null : { start, end: stop };
  },
};
