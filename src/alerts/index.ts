/** Alerts: pure detectors over the audit log. Who feeds them, and who tells, is `main/alerts/`. */
export type { AlertRule } from './rules.ts';
export { type Alert, createWatch, type Watch } from './watch.ts';
