/** HTTP APIs as tools: their documents, their tools, and what their answers may bring. */
import { KIB, MIB } from './size.ts';

/** Largest OpenAPI document in JSON, in bytes. GitHub's has 13 MB. */
export const openApiJsonBytesMax = 32 * MIB;
/** The same in YAML, which takes some sixty times as long to read. */
export const openApiYamlBytesMax = 4 * MIB;
/** Deepest nesting of maps and lists in one. The deepest real one that was seen has 29 levels. */
export const openApiDepthMax = 100;
/** References that lead from one to the next before a thing is found. */
export const openApiReferenceHopsMax = 16;
/** Tools of one API. GitHub's document has 1,200 operations. */
export const apiToolsMax = 4_096;
/** Schemas that one tool refers to; what is beyond is described as anything. */
export const apiToolSchemasMax = 200;
/** Maps in the schemas of one tool, likewise; 128 characters of text count as one. */
export const apiToolSchemaNodesMax = 8_000;
/** The same of all tools of an API together; GitHub's have 9,000. */
export const apiSchemaNodesMax = 200_000;
/** Longest description of a tool, in characters. */
export const apiDescriptionCharsMax = 4 * KIB;
/** Longest title of a tool, in characters. */
export const apiTitleCharsMax = 256;
/** Longest definition of a tool, its schemas included, in characters: nothing that is longer could be listed to anybody's use, */
export const apiDefinitionCharsMax = MIB;
/** and longest of all tools of an API together. GitHub's have 2 MB. */
export const apiDefinitionsCharsMax = 64 * MIB;
/** From how many tools on it is told when an API is added that they are too many for most models. */
export const apiToolsManyMin = 128;
/** Of one answer, in bytes: what is beyond is not read. */
export const apiAnswerBytesMax = 16 * MIB;
/** Of one answer in one result, in characters; the rest is read page by page. */
export const apiPageCharsMax = 128 * KIB;
/** Of one answer that is no text in one result, in bytes. */
export const apiBinaryBytesMax = 4 * MIB;
/** Answers that one running API keeps for being read on, */
export const apiAnswersKeptMax = 64;
/** all together, in characters, */
export const apiAnswersKeptCharsMax = 64 * MIB;
/** and for how long, in milliseconds. */
export const apiAnswersKeptMs = 600_000;
/** APIs whose tools are kept compiled, whichever profiles they are for. */
export const apisCompiledMax = 64;
/** Of the reason that a caller gives for a request, what goes into the audit log, in characters. */
export const apiReasonCharsMax = 500;
/** How long the reading of one document may take, in milliseconds, */
export const apiCompileMs = 30_000;
/** and how much memory of its own, in MiB. GitHub's takes 200. */
export const apiCompileMemoryMiB = 768;
