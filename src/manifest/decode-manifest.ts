/** Schema version 2: a tree to a `Manifest` with its defaults filled in. */
import type { Manifest } from './types.ts';
import { checkCoherence } from './coherence.ts';
import { descriptionRule, readCredentials, titleRule } from './decode-credential.ts';
import { readEgress } from './decode-egress.ts';
import { readServer } from './decode-server.ts';
import { checkIdleUse, readTools } from './decode-tools.ts';
import { type Cursor, readFields } from './fields.ts';
import { readRuled, slugRule, versionRule, webAddressRule } from './plain-text.ts';
import type { Report } from './report.ts';

const KEYS = [
  'schemaVersion',
  'name',
  'version',
  'title',
  'description',
  'homepage',
  'server',
  'egress',
  'credentials',
  'tools',
] as const;

/**
 * The manifest, even when a rule is broken (so that it has a hash); undefined when a part could not be read
 * at all. Whether it may be used is for the report to say.
 */
export function decodeManifest(root: Cursor, report: Report): Manifest | undefined {
  const fields = readFields(root, KEYS, report);
  if (fields === undefined) return undefined;
  const name = readRuled(fields.need('name', slugRule.expected), slugRule, report);
  const version = readRuled(fields.need('version', versionRule.expected), versionRule, report);
  const title = readRuled(fields.get('title'), titleRule, report);
  const description = readRuled(fields.get('description'), descriptionRule, report);
  const homepage = readRuled(fields.get('homepage'), webAddressRule('manifest_url_invalid'), report);
  const server = readServer(fields.need('server', 'how the server runs: a map with kind'), report);
  const egress = readEgress(fields.get('egress'), report);
  const credentials = readCredentials(fields.get('credentials'), report);
  const tools = readTools(fields.get('tools'), egress, report);
  const optional = { title, description, homepage };
  const unread = (['title', 'description', 'homepage'] as const).some(
    (key) => fields.get(key) !== undefined && optional[key] === undefined,
  );
  if (unread || name === undefined || version === undefined || server === undefined) return undefined;
  if (egress === undefined || credentials === undefined || tools === undefined) return undefined;
  const manifest: Manifest = {
    schemaVersion: 2,
    name,
    version,
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    ...(homepage === undefined ? {} : { homepage }),
    server,
    egress,
    credentials,
    ...(Object.keys(tools).length === 0 ? {} : { tools }),
  };
  checkCoherence(manifest, fields, report);
  checkIdleUse(fields.get('tools'), tools, credentials, report);
  return manifest;
}
