/**
 * Kernel: what every other folder builds on. Pure; it imports nothing of the project, opens nothing,
 * and reads neither the clock nor the environment except through the ports declared here.
 */
export { type Clock, fixedClock, systemClock } from './clock.ts';
export {
  AppError,
  type AppErrorKind,
  type AppErrorOptions,
  httpStatus,
  isAppError,
  toWire,
  type WireError,
} from './errors.ts';
export {
  type ApprovalId,
  type CellId,
  type CredentialId,
  type Id,
  newId,
  type ProfileId,
  type ServerId,
  type TokenId,
  type UserId,
  type WorkspaceId,
} from './ids.ts';
export type { Json, JsonObject } from './json.ts';
export * as limits from './limits/index.ts';
export { type Log, type LogFields, silentLog } from './log.ts';
export { proxyEnvironment } from './proxy-environment.ts';
export { type Random, systemRandom } from './random.ts';
export { err, ok, type Result } from './result.ts';
export { Secret } from './secret.ts';
export { isBlank, showUnseen } from './unseen.ts';
