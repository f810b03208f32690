/** Environment variables that a manifest may set: valid names that are not the cell's own business. */
import type { Complaint } from './report.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * What the cell sets itself (its home, its trust in the gateway's certificate), and what makes a program load
 * or trust something else than what was reviewed. Compared in upper case, because `http_proxy` counts too.
 */
const RESERVED = new Set([
  '__PROTO__',
  'HOME',
  'PATH',
  'PWD',
  'OLDPWD',
  'SHELL',
  'USER',
  'LOGNAME',
  'TERM',
  'TMPDIR',
  'TMP',
  'TEMP',
  'HOSTNAME',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_REPL_EXTERNAL_MODULE',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'GIT_SSL_NO_VERIFY',
  'AWS_CA_BUNDLE',
  'DENO_CERT',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'HTTPLIB2_CA_CERTS',
  'SSLKEYLOGFILE',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'OPENSSL_ENGINES',
  'JAVA_TOOL_OPTIONS',
  '_JAVA_OPTIONS',
  'JDK_JAVA_OPTIONS',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'FTP_PROXY',
  'NO_PROXY',
  'NODE_USE_ENV_PROXY',
  'BASH_ENV',
  'ENV',
  'IFS',
  'GCONV_PATH',
  'LOCPATH',
  'RESOLV_HOST_CONF',
  'HOSTALIASES',
  'LOCALDOMAIN',
  'RES_OPTIONS',
  'PYTHONPATH',
  'PYTHONHOME',
  'PYTHONSTARTUP',
  'PYTHONHTTPSVERIFY',
  'PYTHONBREAKPOINT',
  'PYTHONEXECUTABLE',
  'PYTHONINSPECT',
  'PYTHONPLATLIBDIR',
  'PYTHONPYCACHEPREFIX',
  'PYTHONUSERBASE',
  'PYTHONWARNINGS',
  'PERL5DB',
  'PERL5OPT',
  'PERL5LIB',
  'RUBYOPT',
  'RUBYLIB',
  'GEM_HOME',
  'GEM_PATH',
  'CLASSPATH',
  'DOTNET_STARTUP_HOOKS',
  'PHPRC',
  'PHP_INI_SCAN_DIR',
  'BUN_OPTIONS',
  'DENO_TLS_CA_STORE',
  'BROWSER',
  'EDITOR',
  'PAGER',
  'VISUAL',
  'PROMPT_COMMAND',
  'PS4',
  'SHELLOPTS',
  'BASHOPTS',
  'GIT_ASKPASS',
  'GIT_EDITOR',
  'GIT_EXEC_PATH',
  'GIT_EXTERNAL_DIFF',
  'GIT_PAGER',
  'GIT_PROXY_COMMAND',
  'GIT_SEQUENCE_EDITOR',
  'GIT_SSH',
  'GIT_SSH_COMMAND',
  'GIT_TEMPLATE_DIR',
]);

const RESERVED_PREFIXES =
  `LD_ DYLD_ SALLYPORT_ BASH_FUNC_ GLIBC_TUNABLES MALLOC_ NPM_CONFIG_ GIT_CONFIG GIT_SSL_ CORECLR_ PIP_ UV_ BUNDLE_`.split(
    ' ',
  );

/** Why a variable may not be set; undefined when it may. Codes: `manifest_env_name`, `manifest_env_reserved`. */
export function envNameFault(name: string): Complaint | undefined {
  if (!NAME.test(name)) {
    return {
      code: 'manifest_env_name',
      message: `${JSON.stringify(name)} cannot be the name of an environment variable`,
      expected: 'letters, digits and underscores, not beginning with a digit, at most 128 characters',
    };
  }
  const upper = name.toUpperCase();
  if (!RESERVED.has(upper) && !RESERVED_PREFIXES.some((prefix) => upper.startsWith(prefix))) return undefined;
  return {
    code: 'manifest_env_reserved',
    message: `${name} is set by the cell, or changes what a program in it loads or trusts`,
    expected: 'a variable of the server itself',
  };
}

/** Whether a variable's name says that its value is a key. */
export const soundsSecret = (name: string): boolean =>
  /(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:_|$)/i.test(name);
