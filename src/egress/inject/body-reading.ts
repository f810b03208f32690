/** What a request's body is read as: where in it credentials may go. */

export type BodyReading =
  /** Searched, and nothing is put in. */
  | { readonly kind: 'opaque' }
  /** The same, beneath its content coding. */
  | { readonly kind: 'coded'; readonly coding: string }
  | { readonly kind: 'json' }
  | { readonly kind: 'form'; readonly fields: ReadonlySet<string> }
  | { readonly kind: 'multipart'; readonly fields: ReadonlySet<string>; readonly boundary: string };

export const OPAQUE: BodyReading = { kind: 'opaque' };
