/**
 * Metrics as text, in the format that Prometheus reads (0.0.4). Pure. Values of labels come from servers and callers: they
 * are escaped, shortened, and never a line of their own.
 */
import { limits } from '../kernel/index.ts';

type Labels = Readonly<{ [name: string]: string }>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Of a histogram: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
}

/** One metric. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function exposition(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    lines.push(
      `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${name} ${type}`,
    );
    for (const { labels, value, suffix = '' } of samples)
      lines.push(`${name}${suffix}${shown(labels)} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

function shown(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (value: string): string =>
  value
    .slice(0, limits.metricLabelCharsMax)
    .toWellFormed()
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll(/[\x00-\x1f\x7f\u2028\u2029]/g, '\ufffd');
