/** Keys of databases and of what is done with data. */
import { key, type KeyFormat } from './key-format.ts';

export const dataKeys: readonly KeyFormat[] = [
  key('databricks-token', 'dapi', '[0-9a-f]{32}(?:-\\d)?'),
  key('planetscale-token', 'pscale_tkn_ pscale_pw_ pscale_oauth_', '[\\w.=-]{32,64}'),
  key('supabase-token', 'sbp_', '(?:v0_)?[0-9a-f]{40}'),
  key('supabase-key', 'sb_secret_', '[\\w-]{31,60}'),
  key('neon-key', 'napi_', '[a-z0-9]{64}'),
  key('mongodb-secret', 'mdb_sa_sk_', '[\\w-]{40}'),
  key('zuplo-key', 'zpka_', '[0-9a-f]{32}_[0-9a-f]{8}'),
  key('confluent-secret', 'cflt', '[A-Za-z0-9+/]{60}'),
  key('aiven-token', 'aivenv1', '[A-Za-z0-9+/]{60,400}={0,2}'),
];
