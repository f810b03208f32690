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
    ['', []],
  ])('%s', (text, verbs) => {
    expect(sqlVerbs(text).toSorted()).toEqual(verbs.toSorted());
  });

  test.each([
    ['a backslash is the end of a string, or is not', "select '\\'; drop table t; -- '"],
    ['the other way round', "select 'a\\' , '; drop table t; -- '' '"],
    ['a comment that is run', 'select 1 /*!50000 ; drop table t */'],
    ['a comment that does not nest', 'select 1 /* /* */ ; drop table t -- */'],
    ['a comment that nests', 'select 1 /* /* */ */ ; drop table t'],
    ['a hash that begins no comment', 'select 1 # 2 ; drop table t'],
    ['two hyphens that begin no comment', "select 1 --'\n; drop table t -- '"],
    ['a quote in a comment of another database', "select 1 # '\n; drop table t # '"],
    ['a dollar string that is none elsewhere', 'select $$; drop table t; $$'],
    ['an escaped string', "select e'\\''; drop table t; --'"],
  ])('%s', (_, text) => {
    expect(sqlVerbs(text)).toContain('drop');
  });
});

describe('tables', () => {
  test.each([
    ['select * from a, b x, c.d as y where e = (select max(f) from g)', ['a', 'b', 'c.d', 'g']],
    ['select a, b from (select x, y from t1) s, t2 join t3 on t3.id = s.x', ['t1', 't2', 't3']],
    ['select * from (a join b on true), lateral f', ['a', 'b', 'f']],
    ['insert into "Users" (a, b) values (1, 2)', ['users']],
    ['update only app.users set a = 1, b = 2', ['app.users']],
    ['drop table if exists `x`, y', ['x']],
    ['delete from [dbo].[t] where a in (1, 2)', ['dbo.t']],
    ["select 'from secret' as a", []],
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
      expect(sqlVerbs(text).length).toBeLessThan(5);
      expect(sqlTables(text).length).toBeLessThan(60);
    }),
  );
  expect(sqlVerbs(`select 1 ${'/*'.repeat(100_000)}*/`)).toEqual(['select']);
  expect(() => sqlVerbs('('.repeat(300_000))).toThrow('the SQL is too long');
});
