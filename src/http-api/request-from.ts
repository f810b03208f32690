/** The last look at every request, however it was put together. Pure. */
import { err, ok, type Result } from '../kernel/index.ts';
import { matchPath, normalizeTarget } from '../wire/index.ts';
import type { ApiFault } from './faults.ts';
import type { ApiRequest, Base } from './plan.ts';
import { type Body, isTooLong } from './serialise/body.ts';

interface Parts {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Body | null;
}

/** Codes: `api_argument_path`, `api_argument_too_long`. */
export function requestFrom(
  base: Base,
  { method, target, fields, body }: Parts,
): Result<ApiRequest, ApiFault> {
  const judged = normalizeTarget(target);
  if (!judged.ok || (base.path !== '' && !matchPath(base.path, judged.value.path))) {
    const reason = judged.ok ? `it is not below ${base.path}` : judged.error;
    return err({
      code: 'api_argument_path',
      message: `The address that these arguments make could be read in more than one way (${reason}).`,
      hint: 'A value in a path must not be empty, "." or "..", and must not be percent-encoded already.',
    });
  }
  if (body !== null && isTooLong(body)) {
    return err({ code: 'api_argument_too_long', message: 'The body of this request is too long.' });
  }
  const type: (readonly [string, string])[] = body === null ? [] : [['Content-Type', body.contentType]];
  const { scheme, host, port } = base;
  return ok({ method, scheme, host, port, target, fields: [...fields, ...type], body: body?.bytes ?? null });
}
