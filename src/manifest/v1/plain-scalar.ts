/**
 * What version 1 makes of an unquoted scalar where text is wanted: numbers and booleans become their text in
 * the reference tool's spelling (`0x10` is "16", `1.10` is "1.1"), null becomes nothing. Its YAML 1.1 numbers
 * are kept, because hashes depend on them; its YAML 1.1 booleans are not: `n` and `on` stay text.
 *
 * Source: the resolver of YAML 1.1 for Go (go.yaml.in/yaml/v2) and sigs.k8s.io/yaml, as documented there.
 */

/** YAML 1.1 floats, as the reference tool recognises them after dropping underscores. */
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

export type PlainValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number };

/** @param source the scalar as written, without quotes */
export function resolvePlain(source: string): PlainValue {
  if (source === '' || /^(?:~|null|Null|NULL)$/.test(source)) return { kind: 'null' };
  if (/^(?:true|True|TRUE)$/.test(source)) return { kind: 'boolean', value: true };
  if (/^(?:false|False|FALSE)$/.test(source)) return { kind: 'boolean', value: false };
  if (/^[+]?\.(?:inf|Inf|INF)$/.test(source)) return { kind: 'float', value: Infinity };
  if (/^-\.(?:inf|Inf|INF)$/.test(source)) return { kind: 'float', value: -Infinity };
  if (/^\.(?:nan|NaN|NAN)$/.test(source)) return { kind: 'float', value: Number.NaN };
  // A leading point is a float without underscores or nothing; a digit or a sign may lead any number.
  if (source.startsWith('.')) return FLOAT.test(source) ? float(source) : { kind: 'text', text: source };
  if (!/^[-+0-9]/.test(source)) return { kind: 'text', text: source };
  const bare = source.replaceAll('_', '');
  return integer(bare) ?? (FLOAT.test(bare) ? float(bare) : { kind: 'text', text: source });
}

const float = (source: string): PlainValue => ({ kind: 'float', value: Number(source) });

function integer(source: string): PlainValue | undefined {
  const match = INTEGER.exec(source);
  if (match === null) return undefined;
  const [, sign = '', digits = ''] = match;
  // A leading zero without a letter means octal.
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  // Above 2^63 only the unsigned form is read, and that one takes no sign.
  if (value < INT64_MIN || value > UINT64_MAX || (sign === '+' && value >= 2n ** 63n)) return undefined;
  return { kind: 'integer', value };
}

/** The text that the reference tool puts in a text field; undefined for null, which leaves the field as it is. */
export function plainText(value: PlainValue): string | undefined {
  if (value.kind === 'null') return undefined;
  if (value.kind === 'text') return value.text;
  return value.kind === 'float' ? floatText(value.value) : String(value.value);
}

/**
 * Go's `strconv.FormatFloat(value, 'g', -1, 32)`: the shortest digits that give the same single-precision
 * number, with an exponent below 1e-4 and from 1e+6 on.
 */
function floatText(value: number): string {
  const single = Math.fround(value);
  if (Number.isNaN(single)) return 'NaN';
  if (!Number.isFinite(single)) return single > 0 ? '+Inf' : '-Inf';
  if (single === 0) return Object.is(single, -0) ? '-0' : '0';
  let shortest = single.toExponential();
  for (let digits = 0; digits < 9; digits += 1) {
    const candidate = single.toExponential(digits);
    if (Math.fround(Number(candidate)) === single) {
      shortest = candidate;
      break;
    }
  }
  const [mantissa = '', power = '0'] = shortest.split('e');
  const exponent = Number(power);
  const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  if (exponent >= -4 && exponent < 6) return decimalText(trimmed, exponent);
  return `${trimmed}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** A mantissa of one digit, a point and more digits, times ten to a power, without an exponent. */
function decimalText(mantissa: string, exponent: number): string {
  const negative = mantissa.startsWith('-');
  const digits = mantissa.replace(/[-.]/g, '');
  const text =
    exponent < 0
      ? `0.${'0'.repeat(-exponent - 1)}${digits}`
      : digits.length <= exponent + 1
        ? digits.padEnd(exponent + 1, '0')
        : `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
  return negative ? `-${text}` : text;
}
