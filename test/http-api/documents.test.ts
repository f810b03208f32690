/** Published documents of large APIs: each operation becomes a tool, and a call of it a request that fits the document. */
import { describe, expect, it } from 'vitest';
import { compile, requestOf, seen } from './compiled.ts';
import { checkSent, DOCUMENTS, readPublished, sampleArguments } from './published.ts';

describe.each(DOCUMENTS)('$name', ({ file, operations }) => {
  const { text, root } = readPublished(file);
  const { tools, leftOut } = compile(text, { baseUrl: 'https://api.example.com' });

  it('becomes one tool for each operation, all with names that clients take', () => {
    expect(leftOut).toEqual([]);
    expect(tools).toHaveLength(operations);
    expect(new Set(tools.map(({ name }) => name)).size).toBe(operations);
    for (const { name } of tools) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it('has calls that the document itself allows', () => {
    for (const tool of tools) {
      const args = sampleArguments(seen(tool));
      const { method, target, fields, body } = requestOf(tool, args);
      const contentType = fields.find(([name]) => name === 'Content-Type')?.[1];
      const path = tool.plan.kind === 'operation' ? tool.plan.path : '';
      checkSent(root, path, args, { method, target, contentType, body: body?.toString() ?? null });
    }
  });
});
