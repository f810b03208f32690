/** `server` of kind `api`: where the API is, and what of it becomes tools. */
import { type Cursor, type Fields, readFields, readFlag, readText, refuse } from './fields.ts';
import { readRuled, type TextRule, webAddressRule } from './plain-text.ts';
import type { Report } from './report.ts';
import { readDistinct, readMethods } from './request-scope.ts';
import type { ApiServerSpec, OperationFilter } from './types.ts';

export const API_KEYS = ['kind', 'baseUrl', 'openapi', 'toolspec', 'operations', 'request'] as const;

export function readApi(fields: Fields, cursor: Cursor, report: Report): ApiServerSpec | undefined {
  const baseUrl = readRuled(
    fields.need('baseUrl', 'the address that the paths are below'),
    webAddressRule('manifest_url_invalid'),
    report,
  );
  const openapiAt = fields.get('openapi');
  const toolspecAt = fields.get('toolspec');
  const openapi = readRuled(openapiAt, documentRule, report);
  const toolspec = readRuled(toolspecAt, documentRule, report);
  const operationsAt = fields.get('operations');
  const operations = readOperations(operationsAt, report);
  const request = readFlag(fields.get('request'), report);
  if (baseUrl !== undefined && baseUrl.includes('?')) {
    refuse(
      fields.get('baseUrl') ?? cursor,
      {
        code: 'manifest_url_invalid',
        message: 'the address has a query',
        expected: 'an address without a query',
      },
      report,
    );
  }
  if (openapiAt !== undefined && toolspecAt !== undefined) {
    refuse(
      cursor,
      {
        code: 'manifest_api_tools',
        message: 'openapi and toolspec are both given',
        expected: 'one of the two',
      },
      report,
    );
  }
  if (operationsAt !== undefined && openapiAt === undefined) {
    refuse(
      operationsAt,
      {
        code: 'manifest_api_operations',
        message: 'there is no document whose operations could be chosen',
        expected: 'openapi beside it',
      },
      report,
    );
  }
  if (
    baseUrl === undefined ||
    (openapiAt !== undefined && openapi === undefined) ||
    (toolspecAt !== undefined && toolspec === undefined) ||
    (operationsAt !== undefined && operations === undefined)
  )
    return undefined;
  return {
    kind: 'api',
    baseUrl,
    ...(openapi === undefined ? {} : { openapi }),
    ...(toolspec === undefined ? {} : { toolspec }),
    ...(operations === undefined ? {} : { operations }),
    ...(request === true ? { request } : {}),
  };
}

function readOperations(cursor: Cursor | undefined, report: Report): OperationFilter | undefined {
  if (cursor === undefined) return undefined;
  const fields = readFields(cursor, ['tags', 'methods', 'paths', 'exclude'], report);
  if (fields === undefined) return undefined;
  const texts = (key: 'tags' | 'paths' | 'exclude', expected: string, pattern: RegExp) =>
    readDistinct(fields.get(key), `a list: ${expected}`, report, (item) => {
      const text = readText(item, expected, report);
      if (text !== undefined && !pattern.test(text)) {
        refuse(
          item,
          {
            code: 'manifest_operation_invalid',
            message: `${JSON.stringify(text)} is not possible`,
            expected,
          },
          report,
        );
      }
      return text;
    });
  const tags = texts('tags', 'tags of the document', /^.{1,200}$/u);
  const methods = readMethods(fields.get('methods'), report);
  const paths = texts(
    'paths',
    'paths as the document writes them, such as /pets/{id}, /pets/* or /pets/**',
    PATH,
  );
  const exclude = texts('exclude', 'names of operations, or paths such as /admin/**', /^.{1,512}$/u);
  return {
    ...(tags === undefined ? {} : { tags }),
    ...(methods === undefined ? {} : { methods }),
    ...(paths === undefined ? {} : { paths }),
    ...(exclude === undefined ? {} : { exclude }),
  };
}

const PATH = /^\/[^\s?#]{0,511}$/;

const documentRule: TextRule = {
  expected: 'an https address, or the name of a file beside the manifest',
  fault(text) {
    const file = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/.test(text);
    const address = text.startsWith('https://') && webAddressRule('').fault(text) === undefined;
    return file || address
      ? undefined
      : {
          code: 'manifest_document_reference',
          message: `${JSON.stringify(text)} is neither`,
          expected: this.expected,
        };
  },
};
