/** Templates about repositories, files, databases and deletions. */
import { listed } from '../decision.ts';
import {
  argument,
  deny,
  NAMED_ARGUMENT,
  type Parameter,
  plainForm,
  quoted,
  type Template,
} from './template.ts';

const QUERY = NAMED_ARGUMENT('query');
const PATHS: Parameter = { type: 'texts', about: 'the arguments that name files', preset: ['path'] };

/** Where a path leads out of its folder, however it is written. */
const ESCAPES = String.raw`(?i)(?:^|[/\\])(?:\.|%(?:25)*2e){2}(?:$|[/\\]|%(?:25)*(?:2f|5c))|%(?:25)*(?:2f|5c)(?:\.|%(?:25)*2e){2}`;
/** What in a repository's name would make it that of another owner, where somebody puts the two together. */
const LEADS_OUT = String.raw`(?:^|[/\\])\.{1,2}(?:[/\\]|$)|[%?#]`;

export const codeAndData: readonly Template[] = [
  {
    name: 'protect-branches',
    summary: 'Refuses calls that name a protected branch, `refs/heads/` before it or not.',
    parameters: {
      branches: { type: 'texts', about: 'the branches', preset: ['main', 'master'], form: plainForm },
      argument: NAMED_ARGUMENT('branch'),
    },
    draft: (given) => ({
      when: `texts(${argument(given.text('argument'))}).exists(name, ${quoted(given.texts('branches').map((one) => one.replace(/^refs\/heads\//, '')))}.exists(branch, folded(name).trim() == folded(branch) || folded(name).trim().endsWith("/" + folded(branch))))`,
      action: deny,
      message: 'The branch is protected',
      instead: `Use another branch than ${listed(given.texts('branches'))}, and open a pull request.`,
    }),
    example: {
      with: { branches: ['main', 'release'] },
      meets: [
        { args: { branch: 'main' } },
        { args: { branch: 'refs/heads/Release' } },
        { args: { branch: ' main ' } },
      ],
      passes: [{ args: { branch: 'fix-main' } }, { args: {} }],
    },
  },
  {
    name: 'allow-repositories',
    summary: 'Refuses calls about any repository but some.',
    parameters: {
      repositories: { type: 'texts', about: 'the repositories, as `owner/name` or `owner/*`' },
      owner: NAMED_ARGUMENT('owner'),
      name: NAMED_ARGUMENT('repo'),
    },
    draft: (given) => {
      const owner = argument(given.text('owner'));
      const name = argument(given.text('name'));
      const wanted = given.texts('repositories').map((one) => one.toLowerCase());
      const whole = wanted.filter((one) => one.endsWith('/*')).map((one) => one.slice(0, -2));
      return {
        when: `!((${owner}.lower() in ${quoted(whole)} && !texts(${name}).exists(one, one.matches(${quoted(LEADS_OUT)}))) || (${owner} + "/" + ${name}).lower() in ${quoted(wanted)})`,
        action: deny,
        message: 'The repository is not among those that are allowed',
        instead: `Allowed are ${listed(given.texts('repositories'))}.`,
      };
    },
    example: {
      with: { repositories: ['acme/site', 'tools/*'] },
      meets: [
        { args: { owner: 'acme', repo: 'secrets' } },
        { args: { repo: 'site' } },
        { args: {} },
        { args: { owner: 'tools', repo: '../acme/secrets' } },
      ],
      passes: [{ args: { owner: 'Acme', repo: 'site' } }, { args: { owner: 'tools', repo: 'any' } }],
    },
  },
  {
    name: 'block-deletes',
    summary: 'Refuses tools that delete by their name, or that say that they destroy something.',
    parameters: {
      words: {
        type: 'texts',
        about: 'what a name says that does it',
        preset: ['delete', 'remove', 'destroy', 'drop', 'purge', 'truncate', 'erase', 'wipe'],
      },
    },
    draft: (given) => ({
      when: `${quoted(given.texts('words').map((one) => one.toLowerCase()))}.exists(word, call.tool.lower().contains(word)) || (has(annotations.destructiveHint) && annotations.destructiveHint == true)`,
      action: deny,
      message: 'This deletes something',
      instead: 'Use a tool that does not, or ask somebody to do it.',
    }),
    example: {
      with: {},
      meets: [{ tool: 'bulkDeleteIssues' }, { tool: 'tidy', annotations: { destructiveHint: true } }],
      passes: [{ tool: 'list_issues' }, { tool: 'tidy', annotations: { destructiveHint: false } }],
    },
  },
  {
    name: 'read-only',
    summary: 'Refuses tools that do not say that they only read.',
    parameters: {},
    draft: () => ({
      when: '!(has(annotations.readOnlyHint) && annotations.readOnlyHint == true)',
      action: deny,
      message: 'Only tools that only read may be used',
      instead: 'Use a tool that says that it only reads.',
    }),
    example: {
      with: {},
      meets: [{ tool: 'write' }, { annotations: { readOnlyHint: false } }],
      passes: [{ annotations: { readOnlyHint: true } }],
    },
  },
  {
    name: 'allow-paths',
    summary: 'Refuses files anywhere but below some folders, and every path with `..` in it.',
    parameters: {
      folders: { type: 'texts', about: 'the folders, from the root' },
      arguments: PATHS,
    },
    draft: (given) => ({
      when: `!texts([${given.texts('arguments').map(argument).join(', ')}]).all(path, !path.matches(${quoted(ESCAPES)}) && ${quoted(given.texts('folders').map((one) => one.replace(/\/+$/, '')))}.exists(folder, path == folder || path.startsWith(folder + "/")))`,
      action: deny,
      message: 'The path is outside of the allowed folders',
      instead: `Files below ${listed(given.texts('folders'))} are allowed.`,
    }),
    example: {
      with: { folders: ['/data/shared/'] },
      meets: [
        { args: { path: '/etc/passwd' } },
        { args: { path: '/data/shared/../secret' } },
        { args: { path: '/data/shared/%2e%2e/secret' } },
        { args: { path: '/data/shared/%252e%252e/secret' } },
        { args: { path: '/data/shared2/x' } },
      ],
      passes: [{ args: { path: '/data/shared/notes..txt' } }, { args: { path: '/data/shared' } }],
    },
  },
  {
    name: 'block-files',
    summary: 'Refuses files whose path holds one of some names: keys, environments.',
    parameters: {
      names: {
        type: 'texts',
        about: 'names of files and folders',
        form: plainForm,
        preset: ['.env', '.ssh', '.aws', '.gnupg', '.netrc', '.npmrc', 'id_rsa', 'id_ed25519', 'credentials'],
      },
      arguments: PATHS,
    },
    draft: (given) => ({
      when: `texts([${given.texts('arguments').map(argument).join(', ')}]).exists(path, ${quoted(given.texts('names').map((one) => one.toLowerCase()))}.exists(name, ["/", "\\\\"].exists(before, ["/", "\\\\"].exists(after, ("/" + folded(path) + "/").contains(before + name + after)))))`,
      action: deny,
      message: 'Files of this name are not allowed',
      instead: 'Files of other names are allowed.',
    }),
    example: {
      with: {},
      meets: [
        { args: { path: '/home/me/.ENV' } },
        { args: { path: '.ssh/config' } },
        { args: { path: 'C:\\me\\.ssh\\config' } },
      ],
      passes: [{ args: { path: '/home/me/.environment' } }, { args: {} }],
    },
  },
  {
    name: 'sql-verbs',
    summary: 'Refuses SQL that does anything but some verbs, however a database reads it.',
    parameters: {
      verbs: { type: 'texts', about: 'the verbs', preset: ['select'] },
      argument: QUERY,
    },
    draft: (given) => {
      const verbs = `sqlVerbs(${argument(given.text('argument'))})`;
      return {
        when: `size(${verbs}) == 0 || !${verbs}.all(verb, verb in ${quoted(given.texts('verbs').map((one) => one.toLowerCase()))})`,
        action: deny,
        message: 'The query does something that is not allowed',
        instead: `Allowed are ${listed(given.texts('verbs'))}.`,
      };
    },
    example: {
      with: { verbs: ['select'] },
      meets: [
        { args: { query: 'select 1; drop table users' } },
        { args: { query: "select 'a\\'; delete from t; -- '" } },
        { args: { query: 'with x as (delete from t returning *) select * from x' } },
        { args: { query: '/*! drop table t */ select 1' } },
        { args: { query: '' } },
        { args: {} },
      ],
      passes: [
        { args: { query: "SELECT replace(name, 'delete', '') FROM t -- drop" } },
        { args: { query: 'select "update" from t' } },
      ],
    },
  },
  {
    name: 'sql-allow-tables',
    summary: 'Refuses SQL about any table but some.',
    parameters: {
      tables: { type: 'texts', about: 'the tables, as queries name them', form: plainForm },
      argument: QUERY,
    },
    draft: (given) => ({
      when: `!sqlTables(${argument(given.text('argument'))}).all(table, table in ${quoted(given.texts('tables').map((one) => one.toLowerCase()))})`,
      action: deny,
      message: 'The query is about a table that is not allowed',
      instead: `Allowed are ${listed(given.texts('tables'))}.`,
    }),
    example: {
      with: { tables: ['orders', 'public.items'] },
      meets: [
        { args: { query: 'select * from orders, "users"' } },
        { args: { query: 'select * from (select * from orders) o join secrets on 1=1' } },
      ],
      passes: [{ args: { query: 'SELECT a, b FROM Orders o JOIN public.items i ON true' } }],
    },
  },
  {
    name: 'sql-block-tables',
    summary: 'Refuses SQL about some tables, in whatever schema.',
    parameters: {
      tables: { type: 'texts', about: 'the tables, without a schema', form: plainForm },
      argument: QUERY,
    },
    draft: (given) => ({
      when: `sqlTables(${argument(given.text('argument'))}).exists(table, ${quoted(given.texts('tables').map((one) => one.toLowerCase()))}.exists(name, table == name || table.endsWith("." + name)))`,
      action: deny,
      message: 'The query is about a table that is not allowed',
      instead: `Any but ${listed(given.texts('tables'))} is allowed.`,
    }),
    example: {
      with: { tables: ['users'] },
      meets: [
        { args: { query: 'select 1 from app."Users" u' } },
        { args: { query: 'update users set a=1' } },
      ],
      passes: [{ args: { query: 'select users from orders' } }],
    },
  },
];
