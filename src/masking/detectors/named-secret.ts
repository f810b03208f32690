/**
 * Values that are secrets because of what stands before them: `password = …`, `"apiKey": "…"`, `Authorization: Bearer …`,
 * `https://user:password@host`. A name alone is not enough: the value must look like one that somebody made up or drew.
 */
import { isSecretName, looksSecret } from '../entropy.ts';
import type { Match, WordDetector } from '../detector.ts';
import type { Place } from '../place.ts';

const ASSIGNMENT =
  /[\w.-]{0,32}(?:\\?["'\]`>]{0,2}[ \t]{0,4}(?::=|=>|[:=])|>)[ \t]{0,4}\\?["'`]?([^\s"'`,;&<>\\(){}[\]]{6,512})/y;
/** How far a name goes on before the word that it was found by. */
const NAME_BEFORE_MAX = 32;
const NAME = /[\w.-]/;

/** Words in names of what is secret. Each name is looked at whole before it counts. */
const NAMES = [
  'passw',
  'passphrase',
  'pwd',
  'secret',
  'token',
  'apikey',
  'api_key',
  'api-key',
  'access_key',
  'access-key',
  'accesskey',
  'private_key',
  'privatekey',
  'private-key',
  'auth_key',
  'authkey',
  'signing_key',
  'signingkey',
  'encryption_key',
  'encryptionkey',
  'account_key',
  'accountkey',
  'master_key',
  'masterkey',
  'license_key',
  'credential',
  'app_key',
  'appkey',
];

export const namedSecret: WordDetector = {
  name: 'named-secret',
  kind: 'secret',
  isJoined: false,
  words: NAMES,
  match: ({ text, from, to }, at, end) => {
    ASSIGNMENT.lastIndex = end;
    const match = ASSIGNMENT.exec(text);
    const value = match?.[1];
    if (value === undefined) return null;
    const valueEnd = ASSIGNMENT.lastIndex;
    if (valueEnd > to) return null;
    let nameStart = at;
    while (nameStart > from && at - nameStart < NAME_BEFORE_MAX && NAME.test(text.charAt(nameStart - 1)))
      nameStart -= 1;
    const nameEnd = end + (/^[\w.-]*/.exec(match?.[0] ?? '')?.[0].length ?? 0);
    const name = text.slice(nameStart, nameEnd);
    if (!isSecretName(name) || !looksSecret(value, name)) return null;
    return { start: valueEnd - value.length, end: valueEnd };
  },
};

/** The whole value of a member whose name tells. */
export function namedValue(name: string, value: string): boolean {
  return (
    value.length >= 6 &&
    value.length <= 4096 &&
    !/\s/.test(value) &&
    isSecretName(name) &&
    looksSecret(value, name)
  );
}

const BEARER = /\s{1,3}([A-Za-z0-9._~+/-]{16,4096}={0,2})/y;
const BASIC = /\s{1,3}([A-Za-z0-9+/_-]{8,1024}={0,2})(?![A-Za-z0-9+/_=-])/y;

export const authorization: WordDetector = {
  name: 'authorization',
  kind: 'secret',
  isJoined: false,
  words: ['bearer', 'basic'],
  match: (place, at, end) => {
    const isBearer = end - at === 'bearer'.length;
    const pattern = isBearer ? BEARER : BASIC;
    pattern.lastIndex = end;
    const value = pattern.exec(place.text)?.[1];
    if (value === undefined || pattern.lastIndex > place.to) return null;
    const isSecret = isBearer ? looksSecret(value, 'bearer_token') : isBasic(value);
    return isSecret ? { start: pattern.lastIndex - value.length, end: pattern.lastIndex } : null;
  },
};

/** `user:password` and nothing that does not print (RFC 7617). */
const isBasic = (value: string): boolean =>
  /^[\x20-\x7e]{1,128}:[\x20-\x7e]{1,}$/.test(Buffer.from(value, 'base64').toString('latin1'));

const USER_INFO = /[^\s/?#@:"'<>\\]{0,128}:([^\s/?#@"'<>\\]{3,256})@/y;

export const urlPassword: WordDetector = {
  name: 'url-password',
  kind: 'secret',
  isJoined: false,
  words: ['://'],
  match: ({ text, to }: Place, _at, end): Match | null => {
    USER_INFO.lastIndex = end;
    const password = USER_INFO.exec(text)?.[1];
    if (password === undefined || USER_INFO.lastIndex > to || isStandIn(password)) return null;
    return { start: USER_INFO.lastIndex - 1 - password.length, end: USER_INFO.lastIndex - 1 };
  },
};

/** What documentation and templates put there. */
const isStandIn = (password: string): boolean =>
  /^(?:pass(?:word)?|pwd|secret|token|x+|\*+|\.+|\$.*|\{.*|%.*|<.*)$/i.test(password);
