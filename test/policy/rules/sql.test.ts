import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sqlTables, sqlVerbs } from '../../../src/policy/rules/sql.ts';

describe('verbs', () => {
  test.each([
    ['SELECT 1', ['select']],
    ['select 1; delete from t', ['select', 'delete']],
    ['WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x', ['insert', 'select']],
    ['explain analyze update t set a = 1', ['explain', 'analyze', 'update']],
    ["select replace(a, 'drop table', ''), truncate(1.5, 1) from t", ['select']],
    ['select 1 /* delete */ -- drop\n', ['select']],
    ['select "delete", `drop` from t', ['select']],
    ['truncate t', ['truncate']],
    ["copy t to program 'rm'", ['copy']],
    ['pragma writable_schema = 1', ['pragma']],
    ["select * into outfile '/srv/x' from t", ['select', 'into']],
    ["select replace(a, 'b', '') into u from t", ['select', 'into']],
    ['insert into t select 1; select * into u from t', ['insert', 'select', 'into']],
    ['insert ignore into t select "into"', ['insert', 'select']],
    ['', []],
  ])('%s', (text, verbs) => {
    expect(sqlVerbs(text).toSorted()).toEqual(verbs.toSorted());
  });

  test.each([
    ['a backslash is the end of a string, or is not', "select '\\'; drop table t; -- '"],
    ['the other way round', "select 'a\\' , '; drop table t; -- '' '"],
    ['a comment that does not nest', 'select 1 /* /* */ ; drop table t -- */'],
    ['a comment that nests', 'select 1 /* /* */ */ ; drop table t'],
    ['a hash that begins no comment', 'select 1 # 2 ; drop table t'],
    ['two hyphens that begin no comment', "select 1 --'\n; drop table t -- '"],
    ['a quote in a comment of another database', "select 1 # '\n; drop table t # '"],
    ['a dollar string that is none elsewhere', 'select $$; drop table t; $$'],
    ['an escaped string', "select e'\\''; drop table t; --'"],
    [
      'a string behind a word that ends in e, which has no escapes',
      "select 1 where'\\'<>''; drop table t; --'",
    ],
    ['an escaped string that goes on', "select E'a' -- '\n'\\'', 1 # 2; drop table t; --'"],
    ['a comment that a carriage return ends', 'select 1 -- \r; drop table t'],
    ['quotes of names, where strings have escapes', 'select "\\" # \'\n; drop table t; -- "'],
    ['strings without escapes, where a hash begins a comment', "select '\\' # \\'\n; drop table t; -- '"],
  ])('%s', (_, text) => {
    expect(sqlVerbs(text)).toContain('drop');
  });
});

test.each([
  ['purge', "select 1; purge binary logs to 'x'"],
  ['reassign', 'select 1; reassign owned by a to b'],
  ['exec', "select 1 exec xp_cmdshell 'x'"],
  ['start', 'start slave'],
])('what a statement begins with counts: %s', (verb, text) => {
  expect(sqlVerbs(text)).toContain(verb);
});

test.each([
  ['a comment that is run', 'select 1 /*!50000 ; drop table t */'],
  ['or is not, by its version', "select '\\'' /*!99999 ' \\' */ ; drop table t; -- '"],
  ["MariaDB's", 'select 1; /*M!100100drop table t */'],
  ['a name with escapes', 'select * from U&"\\0073ecrets"'],
])('nobody can say what it does: %s', (_, text) => {
  expect(() => sqlVerbs(text)).toThrow('the SQL has a');
  expect(() => sqlTables(text)).toThrow('the SQL has a');
});

test('what a query only says is no comment', () => {
  expect(sqlVerbs("select '/*! drop */', 'u&\"' from t")).toEqual(['select']);
});

describe('tables', () => {
  test.each([
    ['select * from a, b x, c.d as y where e = (select max(f) from g)', ['a', 'b', 'c.d', 'g']],
    ['select a, b from (select x, y from t1) s, t2 join t3 on t3.id = s.x', ['t1', 't2', 't3']],
    ['select * from (a join b on true), lateral f', ['a', 'b', 'f']],
    ['insert into "Users" (a, b) values (1, 2)', ['users']],
    ['update only app.users set a = 1, b = 2', ['app.users']],
    ['drop table if exists `x`, y', ['x', 'y']],
    ['delete from [dbo].[t] where a in (1, 2)', ['dbo.t']],
    ["select 'from secret' as a", []],
    ['select * from a join b on a.x = f(b.x, 1), c', ['a', 'b', 'c']],
    ['select * from a join b using (x, y), c', ['a', 'b', 'c']],
    ['select * from a with (nolock), b', ['a', 'b']],
    ['select * from a set, b returning, c', ['a', 'b', 'c']],
    ['select * from a straight_join b', ['a', 'b']],
    ['update a, b set x = 1, y = 2', ['a', 'b']],
    ['select 1from a', ['a']],
    ['select 1.0e0from a', ['a']],
    ['select \\Nfrom a', ['a']],
    ["select * from 'a'", ['a']],
    ['select * from {oj a left outer join b on true}', ['a', 'b']],
    ['select * from .a', ['a']],
    ['insert ignore a values (1, 2)', ['a']],
    ['insert or replace into a values (1, 2)', ['a']],
    ['delete quick from a', ['a']],
    ['replace a values (1)', ['a']],
    ['delete from a using b where true', ['a', 'b']],
    ["copy a to program 'x'", ['a']],
    ['lock tables a read, b write', ['a', 'b']],
    ['handler a open', ['a']],
    ['vacuum a, b', ['a', 'b']],
    ['explain (analyze, buffers) select 1 from a', ['a']],
    ['select * from a..b', ['a..b']],
    ["select name'\\', x from a --'", ['a']],
    ['select copy, replace(a, b, c) from t order by x desc limit 1', ['t']],
    ['create or replace view v as select 1 from t', ['t']],
  ])('%s', (text, tables) => {
    expect(sqlTables(text)).toEqual(expect.arrayContaining(tables));
    expect(
      sqlTables(text).filter((name) => !name.includes("'") && !tables.includes(name) && name !== '['),
    ).toEqual([]);
  });
});

test('any text comes to an end', () => {
  const part = fc.constantFrom(
    "'",
    '"',
    '`',
    '/*',
    '*/',
    '--',
    '#',
    '\n',
    '$$',
    '$a$',
    '\\',
    '[',
    ']',
    'drop',
    ' ',
    '(',
    ')',
    ',',
    'from',
    ';',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
      const text = parts.join('');
      expect(sqlVerbs(text).length).toBeLessThan(60);
      expect(sqlTables(text).length).toBeLessThan(60);
    }),
  );
  expect(sqlVerbs(`select 1 ${'/*'.repeat(100_000)}*/`)).toEqual(['select']);
  expect(() => sqlVerbs('('.repeat(300_000))).toThrow('the SQL is too long');
});
