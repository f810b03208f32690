/** Whether a name says that its value is secret, and whether a value looks as if it were. */

/** Bits per character of a text by its own frequencies (Shannon, 1948). */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const TELLS =
  /passw(?:or)?ds?\b|passphrase\b|\bpwd\b|secrets?\b|secret ?key\b|token\b|api ?key|access ?key|private ?key|auth ?key|signing ?key|encryption ?key|account ?key|master ?key|license ?key|app ?key|credential/;
/** About a secret, but not one: what it is called, how many, how long, where. */
const ABOUT =
  /\b(?:names?|ids?|types?|kind|count|counts|length|size|limits?|max|min|urls?|uri|endpoint|paths?|file|dir|arn|ref|version|expir\w*|expires|ttl|hint|policy|label|status|format|prefix|field|header|scopes?|created|updated|rotated|at|by|in|enabled|required|strength|reset|usage|used|public|page|next|previous|prev|cursor|continuation|pagination|sync|resume|resumption|tokens|csrf|estimate|budget|cost|description|title|placeholder|manager|provider|store|method|rule|class|bucket|index|position|symbol|address|contract)\b/;

/** `clientSecret`, `CLIENT_SECRET`, `client-secret`; not `secret_name`, `token_type`, `nextPageToken`, `max_tokens`. */
export function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[_\-.]+/g, ' ')
    .toLowerCase();
  return TELLS.test(words) && !ABOUT.test(words);
}

const IS_PASSWORD = /passw|passphrase|pwd/i;
/** References, templates, code and words that stand where a secret would. */
const STANDS_FOR =
  /^(?:\$|%[A-Z]|<|\{|\*+$|x{4,}$|X{4,}$|\.{3}|process\.|os\.|env\.|import\.|config\.|self\.|this\.|req\.|request\.|settings\.|secrets?\.|vars?\.|vault:|op:|arn:|ref:|https?:|file:|\/|\.\/|~\/|@|#)|^(?:true|false|null|none|undefined|nil|string|str|required|optional|change_?me|changeit|redacted|masked|hidden|example|placeholder|todo|unset|disabled|enabled|default|bearer|basic)$|your[-_ ]|[-_]here$|\[masked|example$/i;
const IDENTIFIER = /^[A-Za-z]+(?:[._-][A-Za-z]+)*$/;
const ENTROPY_MIN = 3;
const PASSWORD_ENTROPY_MIN = 2;

/** @param name of the value; people's passwords need not look drawn */
export function looksSecret(value: string, name: string): boolean {
  if (value.length < 6 || STANDS_FOR.test(value)) return false;
  const entropy = entropyBits(value);
  if (IS_PASSWORD.test(name)) return entropy >= PASSWORD_ENTROPY_MIN && !/^[a-z_.-]+$/i.test(value);
  if (value.length < 12 || entropy < ENTROPY_MIN) return false;
  if (IDENTIFIER.test(value)) return value.length >= 20 && !/[._-]/.test(value) && isMixed(value);
  return /\d/.test(value) || isMixed(value);
}

/** Upper and lower case in a way that no words have. */
const isMixed = (value: string): boolean => (value.match(/[a-z][A-Z]|[A-Z]{2}[a-z]/g)?.length ?? 0) >= 4;
