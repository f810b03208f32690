import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  answerApprovalPage,
  approvalAddress,
  isApprovalPage,
} from '../../../src/main/approvals/approval-page.ts';

const ID = 'apr_0123456789abcdef';
let server: Server;
let url: string;
beforeEach(async () => {
  server = createServer((req, res) => answerApprovalPage(req, res, req.url ?? ''));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

it('says how to answer, without a script, a form, or a word of the request', async () => {
  const page = await fetch(approvalAddress(url, ID) ?? '');
  const text = await page.text();
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toBe(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  );
  expect(page.headers.get('x-frame-options')).toBe('DENY');
  expect(page.headers.get('cache-control')).toBe('no-store');
  expect(text).toContain(`sallyport approval approve ${ID}`);
  expect(text).not.toMatch(/<(?:script|form|a|img|iframe|link|style)\b|on\w+=/i);
});

it('takes no answer', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
    expect((await fetch(`${url}/approvals/${ID}`, { method })).status).toBe(405);
  expect(await (await fetch(`${url}/approvals/${ID}`, { method: 'HEAD' })).text()).toBe('');
});

it.each([
  `/approvals/${ID}/approve`,
  `/approvals/${ID}<script>`,
  '/approvals/apr_0',
  '/approvals/',
  `/approvals/${ID.toUpperCase()}`,
])('is not at %s', (path) => {
  expect(isApprovalPage(path)).toBe(false);
});

it('has no address where nobody could reach it', () => {
  expect(approvalAddress(null, ID)).toBeNull();
});
