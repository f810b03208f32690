/**
 * The page that a client shows its person while a call waits for an approval. It says how to answer and nothing of the request,
 * not even whether there is one: anybody may open it. Nothing is ever answered through it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

const PATH = /^\/approvals\/(apr_[0-9a-z]{16})$/;

export const isApprovalPage = (path: string): boolean => PATH.test(path);

/** @param base of the gateway, without a path; null: it is not reached by address */
export const approvalAddress = (base: string | null, id: string): string | null =>
  base === null ? null : `${base}/approvals/${id}`;

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

export function answerApprovalPage(req: IncomingMessage, res: ServerResponse, path: string): void {
  const id = PATH.exec(path)?.[1] ?? '';
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.writeHead(405, { allow: 'GET, HEAD' });
    res.end();
    return;
  }
  res.writeHead(200, HEADERS);
  res.end(req.method === 'HEAD' ? undefined : pageOf(id));
}

/** @param id of letters, digits and one underscore: nothing that HTML could take for more */
const pageOf = (id: string): string => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Approval ${id}</title></head>
<body>
<h1>A call waits for an approval</h1>
<p>Nothing can be decided on this page. Somebody who may decide, and did not make the call, looks at it and answers:</p>
<pre>sallyport approval show ${id}
sallyport approval approve ${id}
sallyport approval reject ${id}</pre>
<p>Then go back to your agent: it makes the same call again, and the call runs once.</p>
</body>
</html>
`;
