/** What programs outside of cells read in their environment to go through a proxy, and to trust its authority. */
export const proxyEnvironment = {
  /** Where they look for the proxy. Many read one spelling only; Node's own clients read them when they are told to. */
  proxy: ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'],
  /** Where they look for a file of authorities. Node adds it to its own list; the others replace theirs. */
  authorities: [
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'REQUESTS_CA_BUNDLE',
    'CURL_CA_BUNDLE',
    'GIT_SSL_CAINFO',
    'AWS_CA_BUNDLE',
    'DENO_CERT',
  ],
  /** What is the same for every proxy: their own machine they reach without it. */
  others: {
    NO_PROXY: 'localhost,127.0.0.1,::1',
    no_proxy: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
  },
} as const;
