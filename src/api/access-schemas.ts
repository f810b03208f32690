/** Profiles, tokens, and what a program beside the gateway needs to use one, as the API shows and takes them. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';
import { RecordLevel } from './recording-schemas.ts';
import { Slug } from './schemas.ts';

const ProfileEntry = z.strictObject({
  server: Slug,
  tools: z.union([z.array(z.string()), z.literal('*'), z.null()]),
});

const ProfileOptionsView = z
  .object({
    /** Whether its tokens may stand in the address, for clients that can send no header. */
    tokenInUrl: z.boolean(),
    /** Whether its clients are shown two tools, one that finds the others and one that calls them. */
    search: z.boolean(),
    /** What its sessions are recorded at; null: as the configuration says. */
    record: RecordLevel.nullable(),
  })
  .openapi('ProfileOptions');

export const ProfileView = z
  .object({ name: z.string(), entries: z.array(ProfileEntry), options: ProfileOptionsView })
  .openapi('Profile');

export const SetProfile = z
  .strictObject({
    entries: z
      .array(ProfileEntry)
      .refine(
        (entries) => new Set(entries.map(({ server }) => server)).size === entries.length,
        'a server is named twice',
      ),
    /** Those that are not named stay as they are. */
    options: z
      .strictObject({
        tokenInUrl: z.boolean().optional(),
        search: z.boolean().optional(),
        record: RecordLevel.nullable().optional(),
      })
      .optional(),
  })
  .openapi('SetProfile');

export const TokenView = z
  .object({
    id: z.string(),
    profile: z.string(),
    agent: z.string(),
    createdAt: z.number(),
    expiresAt: z.number().nullable(),
    revokedAt: z.number().nullable(),
    lastUsedAt: z.number().nullable(),
  })
  .openapi('Token');

export const CreateToken = z
  .strictObject({
    profile: Slug,
    agent: z.string().min(1).max(limits.agentNameCharsMax),
    expiresAt: z.number().int().optional(),
  })
  .openapi('CreateToken');

/** The only answer that holds a token, once. */
export const NewToken = z.object({ id: z.string(), token: z.string() }).openapi('NewToken');

export const ProxyBody = z
  .strictObject({
    /** Without it, the only one that is valid. */
    tokenId: z.string().min(1).max(64).optional(),
    /** Without it, the only one of the token's profile. */
    server: Slug.optional(),
  })
  .openapi('ProxyOptions');

export const ProxyView = z
  .object({
    address: z.string(),
    server: z.string(),
    tokenId: z.string(),
    profile: z.string(),
    agent: z.string(),
    /** Placeholders by variable. */
    variables: z.record(z.string(), z.string()),
    /** Sealed credentials that no value is set for. */
    unset: z.array(z.string()),
    caFile: z.string(),
  })
  .openapi('ProxySettings');

export type ProxyView = z.infer<typeof ProxyView>;
export type ProfileView = z.infer<typeof ProfileView>;
export type TokenView = z.infer<typeof TokenView>;
export type NewToken = z.infer<typeof NewToken>;
