/** What `sallyport doctor` says about cells. */
export interface HostCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What is there, in a few words. */
  readonly found: string;
  /** What to do about it; empty when nothing is. */
  readonly fix: string;
}
export type HostReport = readonly HostCheck[];

export async function checkHost(): Promise<HostReport> {
  return [];
}
