/** ATTACKS 13: paths that lead out of `/v1/public` for some server, and such as look like it and do not. */

/** Within it, as every server reads them. */
export const PLAIN_PATHS: readonly string[] = [
  '/v1/public',
  '/v1/public/',
  '/v1/public/a%20b',
  '/v1/public/x?next=/../../admin',
  '/v1/public/group%2Fproject',
];

/** Elsewhere, for a server that undoes, folds or cuts them as some do. */
export const PATH_TRICKS: readonly string[] = [
  '/v1/public/../admin',
  '/v1/public/..',
  '/v1/public/%2e%2e/admin',
  '/v1/public/%2E./admin',
  '/v1/public/%252e%252e/admin',
  '/v1/public/..%2fadmin',
  '/v1/public/..;/admin',
  '/v1/public/..;x=y/admin',
  '/v1/public/./../admin',
  '/v1/public\\..\\admin',
  '/v1/public/%5c..%5cadmin',
  '/v1/public//../admin',
  '//v1/public',
  '/v1/publicity',
  '/V1/public',
  '/v1%2fpublic',
  '/v1/public/%00',
  '/v1/public/%c0%ae%c0%ae/admin',
  '/v1/public#/../admin',
  '/v1/public#admin',
  '/admin?/v1/public',
  '/',
];
