/** Values that the gateway's own receivers need, as far as anybody may know of them. */
import { z } from '@hono/zod-openapi';

export const ReceiverSecret = z
  .object({
    name: z.string(),
    version: z.number(),
    /** Milliseconds since the Unix epoch, as every time here. */
    updatedAt: z.number(),
    updatedBy: z.string(),
  })
  .openapi('ReceiverSecret');
export type ReceiverSecret = z.infer<typeof ReceiverSecret>;
