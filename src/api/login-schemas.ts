/** Bodies and answers of logins to remote servers. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';
import { Slug } from './schemas.ts';

const Text = z.string().min(1).max(limits.oauthTextCharsMax);

export const BeginLogin = z
  .strictObject({
    /** Where the browser is sent back to: an address of the person's own machine. */
    redirectUri: z.string().regex(/^http:\/\/127\.0\.0\.1:\d{1,5}\/[\w./-]*$/, 'http://127.0.0.1:PORT/PATH'),
    /** In place of what the server asks for. */
    scopes: z.array(Text).max(limits.oauthScopesMax).optional(),
    /** What somebody registered at the authorization server. */
    clientId: Text.optional(),
    clientSecret: z.string().min(1).max(limits.oauthTokenCharsMax).optional(),
    /** Another authorization server than at the last login is all right. */
    acceptIssuer: z.boolean().optional(),
  })
  .openapi('BeginLogin');
export type BeginLogin = z.infer<typeof BeginLogin>;

export const LoginBegun = z
  .object({
    /** Where the person's browser goes. */
    authorizationUrl: z.string(),
    issuer: z.string(),
    /** Where the name is from under which the gateway is known there. */
    clientFrom: z.enum(['given', 'document', 'registered']),
    scopes: z.array(z.string()),
  })
  .openapi('LoginBegun');
export type LoginBegun = z.infer<typeof LoginBegun>;

export const FinishLogin = z
  .strictObject({
    /** The query that came back through the browser, as it came. */
    query: z.string().max(limits.oauthTokenCharsMax),
  })
  .openapi('FinishLogin');

export const LoginView = z
  .object({
    server: Slug,
    issuer: z.string(),
    clientId: z.string(),
    state: z.enum(['ready', 'login_needed']),
    scopes: z.array(z.string()),
    /** Milliseconds since the Unix epoch; null: not known. */
    expiresAt: z.number().nullable(),
    /** Whether it is renewed without a person. */
    refreshable: z.boolean(),
  })
  .openapi('Login');
export type LoginView = z.infer<typeof LoginView>;
