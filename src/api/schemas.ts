/**
 * What bodies and answers of the API have in common. Those of each area are in `…-schemas.ts` beside this: checked at the door,
 * and the source of the OpenAPI document.
 */
import { z } from '@hono/zod-openapi';

export const Slug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63 of them')
  .openapi({ example: 'github' });

export const ErrorBody = z
  .object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }) })
  .openapi('Error');
