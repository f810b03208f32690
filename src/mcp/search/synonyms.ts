/** Words that people and tools use for the same. Of English, and of no certain server. */
import { wordsOf } from './words.ts';

/** One meaning a line. */
const MEANINGS = `
create add new make insert
delete remove drop erase trash
list show browse enumerate all
get fetch read retrieve view show see look open
search find query lookup grep
update edit change modify set
send post write publish
write save store put
file document
folder directory dir
repo repository
pr pull
db database
sql query statement
msg message
reply respond answer comment
comment note remark
user member person people account
move rename
copy duplicate clone
run execute start launch perform
stop cancel end abort
bug issue ticket problem
image picture photo screenshot
page site website web
mail email
event meeting appointment
setting config configuration option preference
diff change comparison
upload push put
download pull
history past previous earlier
react emoji reaction
status state
size big large
slow performance
detail info information metadata about
structure tree hierarchy
schema table structure
log history
`;

const others = new Map<string, Set<string>>();
for (const line of MEANINGS.trim().split('\n')) {
  const words = wordsOf(line);
  for (const word of words) {
    const known = others.get(word) ?? new Set();
    for (const other of words) if (other !== word) known.add(other);
    others.set(word, known);
  }
}

/** @param word as `wordsOf` gives it */
export const synonymsOf = (word: string): Iterable<string> => others.get(word) ?? [];
