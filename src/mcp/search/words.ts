/**
 * The words of a text, as they are compared in a search: parts of names apart, in lower case, without endings. Pure, and
 * linear in the text, whoever wrote it.
 */

/** Words that say nothing of what a tool does. */
const IDLE: ReadonlySet<string> = new Set(
  (
    'a an and are as at be by can do does for from how i if in into is it its me my of on or our out please some ' +
    'than that the their them then there these this to us use used uses using via want was we what when where which ' +
    'who will with you your tool'
  ).split(' '),
);

/** Scripts that are written without spaces: two characters after each other stand for a word. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** @param text of any length; the caller bounds it */
export function wordsOf(text: string): string[] {
  return text
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .normalize('NFKC')
    .toLowerCase()
    .split(/[^\p{L}\p{N}\p{M}]+/u)
    .flatMap((word) => (UNSPACED.test(word) ? pairsOf(word) : [word]))
    .filter((word) => word !== '' && word.length <= WORD_CHARS_MAX && !IDLE.has(word))
    .map(stem);
}

const WORD_CHARS_MAX = 40;

function pairsOf(word: string): string[] {
  const characters = Array.from(word);
  return characters.length < 3
    ? [word]
    : characters.slice(1).map((character, at) => `${characters[at] ?? ''}${character}`);
}

/** Without the endings of plurals and verbs: `issues`, `created` and `creating` are `issu` and `creat`. English only. */
function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word;
  let root = word;
  if (root.endsWith('ies')) root = `${root.slice(0, -3)}y`;
  else if (/(?:sses|shes|ches|xes)$/.test(root)) root = root.slice(0, -2);
  else if (/[^su]s$/.test(root)) root = root.slice(0, -1);
  if (root.length > 5 && root.endsWith('ing')) root = undoubled(root.slice(0, -3));
  else if (root.length > 4 && root.endsWith('ied')) root = `${root.slice(0, -3)}y`;
  else if (root.length > 4 && root.endsWith('ed')) root = undoubled(root.slice(0, -2));
  return root.length > 3 && root.endsWith('e') ? root.slice(0, -1) : root;
}

/** `runn` is `run`. */
const undoubled = (root: string): string => (/([bdgmnprt])\1$/.test(root) ? root.slice(0, -1) : root);
