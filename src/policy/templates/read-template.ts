/** A rule that names a template: its parameters are read as the template declares them, and become parts of the rule. */
import {
  type Cursor,
  type Fields,
  nearest,
  readChoice,
  readEach,
  readFields,
  readInteger,
  readList,
  readText,
  refuse,
  type Report,
} from '../../manifest/index.ts';
import { findTemplate, templates } from './catalogue.ts';
import {
  type Draft,
  type Parameter,
  type ParameterValue,
  ReadParameters,
  type Template,
} from './template.ts';

const INTEGER = { min: 0, max: 1_000_000_000_000 };

/** Null: it names none. Undefined: it is wrong. @param fields of the rule */
export function readTemplate(fields: Fields, report: Report): Draft | null | undefined {
  const cursor = fields.get('template');
  const given = fields.get('with');
  if (cursor === undefined) {
    if (given === undefined) return null;
    return refuse(
      given,
      {
        code: 'policy_unused_key',
        message: 'these are parameters of a template',
        expected: 'the key `template`, or no such key',
      },
      report,
    );
  }
  const name = readText(cursor, 'the name of a template', report);
  if (name === undefined) return undefined;
  const template = findTemplate(name);
  if (template === null) {
    const near = nearest(
      name,
      templates.map((one) => one.name),
    );
    const message = `there is no template ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
    return refuse(
      cursor,
      { code: 'policy_template_unknown', message, expected: 'one of: sallyport policy templates' },
      report,
    );
  }
  const values = readValues(template, given, cursor, report);
  return values === undefined ? undefined : template.draft(new ReadParameters(values));
}

function readValues(
  template: Template,
  given: Cursor | undefined,
  cursor: Cursor,
  report: Report,
): { [name: string]: ParameterValue } | undefined {
  const names = Object.keys(template.parameters);
  const fields = given === undefined ? undefined : readFields(given, names, report);
  if (given !== undefined && fields === undefined) return undefined;
  const values: { [name: string]: ParameterValue } = {};
  for (const [name, parameter] of Object.entries(template.parameters)) {
    const at = fields?.get(name);
    const value = at === undefined ? parameter.preset : readValue(at, parameter, report);
    if (value !== undefined) values[name] = value;
    else if (at === undefined)
      refuse(
        given ?? cursor,
        {
          code: 'policy_parameter_missing',
          message: `the parameter ${JSON.stringify(name)} is missing`,
          expected: `${name}: ${parameter.about}`,
        },
        report,
      );
  }
  return Object.keys(values).length === names.length ? values : undefined;
}

function readValue(cursor: Cursor, parameter: Parameter, report: Report): ParameterValue | undefined {
  const { type, words } = parameter;
  if (type === 'text') return readOne(cursor, parameter, report);
  if (type === 'integer') return readInteger(cursor, INTEGER, report);
  if (type === 'number') return readNumber(cursor, report);
  if (type === 'choice') return readChoice(cursor, words ?? [], report);
  return readTexts(cursor, parameter, report);
}

function readOne(cursor: Cursor, { words, form }: Parameter, report: Report): string | undefined {
  if (words !== undefined) return readChoice(cursor, words, report);
  const text = readText(cursor, 'a text', report);
  if (text === undefined || form === undefined || form.fits(text)) return text;
  const message = `${JSON.stringify(text)} would match nothing`;
  return refuse(cursor, { code: 'policy_never_matches', message, expected: form.expected }, report);
}

/** One, or a list of at least one. */
function readTexts(cursor: Cursor, parameter: Parameter, report: Report): readonly string[] | undefined {
  const cursors = cursor.node.kind === 'scalar' ? [cursor] : readList(cursor, 'a list of texts', report);
  const texts = readEach(cursors, (one) => readOne(one, parameter, report));
  if (texts === undefined || texts.length > 0) return texts;
  return refuse(
    cursor,
    { code: 'policy_never_matches', message: 'the list is empty', expected: 'at least one entry' },
    report,
  );
}

function readNumber(cursor: Cursor, report: Report): number | undefined {
  const { node } = cursor;
  if (node.kind === 'scalar' && typeof node.value === 'number' && Number.isFinite(node.value))
    return node.value;
  return refuse(
    cursor,
    { code: 'policy_wrong_type', message: 'this is no number', expected: 'a number' },
    report,
  );
}
