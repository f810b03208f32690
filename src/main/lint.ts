/** `sallyport manifest lint`: needs no home and no gateway. */
import type { LintReport } from '../cli/index.ts';
import { lintFiles, renderFinding } from '../manifest/index.ts';

export async function lintReports(files: readonly string[]): Promise<readonly LintReport[]> {
  const reports = await lintFiles(files);
  return reports.map((report) => ({
    ...report,
    lines: [...report.errors, ...report.warnings].map(renderFinding),
  }));
}
