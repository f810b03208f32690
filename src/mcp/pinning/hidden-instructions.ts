/**
 * Reports what in a definition reads like instructions to a model rather than a description of a tool. A report and no
 * promise: whoever writes such text can write it so that no rule of these matches, and in any language. Nothing is
 * withheld because of it. The rules and what they find are in docs/pinning.md, their rates in the test beside.
 *
 * Every expression is linear: its repetitions are bounded, and none is within another.
 */
import { limits } from '../../kernel/index.ts';
import { madeVisible } from './deceptive-characters.ts';
import { stringsOf } from './strings.ts';

type InstructionRule =
  | 'secrecy'
  | 'override'
  | 'other-tools'
  | 'pseudo-markup'
  | 'reads-secrets'
  | 'sends-elsewhere'
  | 'conversation'
  | 'out-of-sight'
  | 'encoded'
  | 'long';

export interface InstructionFinding {
  readonly rule: InstructionRule;
  /** Where in the definition. */
  readonly place: string;
  /** What was found, with characters made visible. */
  readonly shown: string;
}

interface Rule {
  readonly rule: InstructionRule;
  /** On the text as it is, with its line breaks. */
  readonly raw?: true;
  readonly patterns: readonly RegExp[];
}

const USER = String.raw`(?:the |to the |your )?(?:user|human|person|customer|operator)`;
const SECRETS = String.raw`(?:\.ssh\b|id_(?:rsa|ed25519)|authorized_keys|\.env\b|\.aws\/|\.netrc|\.npmrc|\.kube\/|mcp\.json|claude_desktop_config|\.cursor\/|\/etc\/(?:passwd|shadow)|private keys?|(?:the|all|any|your|user'?s) (?:api[ -]?keys?|passwords?|credentials|access tokens|secrets|environment variables))`;
const OBTAIN = String.raw`\b(?:read|open|cat|load|include|pass|provide|copy|attach|append|paste|fetch|collect|print|retrieve|put)\b`;

const RULES: readonly Rule[] = [
  {
    rule: 'secrecy',
    patterns: [
      new RegExp(
        String.raw`\b(?:do not|don't|never|must not|mustn't|should not|shouldn't|without|avoid|no need to) (?:ever )?(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|reveal|revealing|alert|alerting|ask|asking|show|showing|disclose|disclosing|explain|explaining)\b[^.]{0,50}\b${USER}\b`,
        'i',
      ),
      /\b(?:user|human) (?:must|should|need|does|will|can)(?: not|n't|not)(?: need to)? (?:see|know|notice|be told|be aware|learn)\b/i,
      /\b(?:keep|treat) (?:this|these|it|the following)[^.]{0,20}\b(?:secret|hidden|confidential|to yourself)\b/i,
      /\b(?:do not|don't|never) (?:mention|reveal|disclose|repeat|quote|talk about)\b[^.]{0,30}\b(?:this|these|that you|instructions?|step|note)\b/i,
      /\b(?:silently|secretly|covertly|quietly)\b[^.]{0,40}\b(?:send|read|call|run|copy|forward|include|add|execute|upload|append)\b/i,
    ],
  },
  {
    rule: 'override',
    patterns: [
      /\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,30}\b(?:previous|prior|earlier|above|other|all|any|system|safety|your)\b[^.]{0,30}\b(?:instructions?|rules|prompts?|guidelines|guardrails|polic(?:y|ies)|constraints)\b/i,
      /\b(?:you are now|from now on,? you|act as if you|pretend (?:that )?you|your new (?:task|role|instructions?)|new system prompt)\b/i,
      /\b(?:takes? (?:precedence|priority) over|supersedes?|overrides?)\b[^.]{0,40}\b(?:instructions?|prompts?|rules|user|system)\b/i,
    ],
  },
  {
    rule: 'other-tools',
    patterns: [
      /\b(?:before|after|when(?:ever)?|while) (?:you )?(?:call|calling|use|using|invoke|invoking|run|running)\b[^.]{0,20}\b(?:any|every|each|another|all|other)\b[^.]{0,20}\btools?\b/i,
      /\b(?:instead of|rather than|never use|do not use|don't use|stop using)\b[^.]{0,30}\b(?:other|any other|another|all other) (?:tools?|servers?)\b/i,
      /\b(?:every|each|any|all) (?:other )?(?:tool|function) calls?\b/i,
      /\bmust (?:always )?(?:be (?:called|run|invoked|used)|call this|use this)\b[^.]{0,30}\b(?:first|before (?:any|every|each|all))\b/i,
    ],
  },
  {
    rule: 'pseudo-markup',
    raw: true,
    patterns: [
      /<\/?\s?(?:important|system|instructions?|secret|hidden|critical|admin|assistant|developer|priority)\b[^>\n]{0,40}>/i,
      /<\|[a-z_]{2,30}\|>|\[\/?INST\]|<<\/?SYS>>/i,
      /^\s{0,8}#{0,4}\s?(?:system|assistant|developer)(?: message| prompt| note)?:/im,
    ],
  },
  {
    rule: 'reads-secrets',
    patterns: [
      new RegExp(String.raw`${OBTAIN}[^.]{0,60}(?:[~$\/\w]{0,20}\/)?${SECRETS}`, 'i'),
      /(?:~|\$HOME|\/home\/\w{1,32}|\/root)\/\.(?:ssh|aws|gnupg|config|cursor|kube|netrc)\b/i,
    ],
  },
  {
    rule: 'sends-elsewhere',
    patterns: [
      /\b(?:send|forward|post|upload|bcc|cc|copy|exfiltrate|transmit|report|submit)\b[^.]{0,60}\b(?:result|results|content|contents|output|data|message|messages|file|files|key|keys|everything|it|them|copy)\b[^.]{0,40}(?:https?:\/\/|[\w.+-]{1,64}@[\w-]{1,63}\.)/i,
      /\b(?:always|also|additionally|must)\b[^.]{0,30}\b(?:bcc|cc|forward|copy)\b[^.]{0,60}@/i,
      /!\[[^\]\n]{0,80}\]\(https?:/i,
    ],
  },
  {
    rule: 'conversation',
    patterns: [
      /\b(?:include|pass|provide|send|put|copy|attach|append|add|paste|insert|fill|write)\b[^.]{0,60}\b(?:conversation|chat|system prompt|message history|previous messages|context window|chain of thought|reasoning)\b/i,
      /\b(?:full|entire|whole|complete|all of the) (?:conversation|chat(?: history)?|system prompt|message history|context window)\b/i,
    ],
  },
  {
    rule: 'out-of-sight',
    raw: true,
    patterns: [
      /<!--/,
      /[ \t]{60}\S/,
      /\n[ \t]{0,8}\n(?:[ \t]{0,8}\n){10}/,
      /\b(?:display:\s?none|font-size:\s?0|visibility:\s?hidden)/i,
    ],
  },
  { rule: 'encoded', raw: true, patterns: [/[A-Za-z0-9+/_-]{100}/, /(?:\\x[0-9a-f]{2}|%[0-9a-f]{2}){20}/i] },
];

/** @param definition checked JSON */
export function instructionFindings(definition: string): readonly InstructionFinding[] {
  const findings: InstructionFinding[] = [];
  for (const { place, text } of stringsOf(definition)) {
    const part = text.slice(0, limits.definitionCharsMax);
    const flat = part
      .normalize('NFKC')
      .replaceAll(/\p{Cf}/gu, '')
      .replaceAll(/\s+/g, ' ')
      .replaceAll('’', "'");
    for (const { rule, raw, patterns } of RULES) {
      const subject = raw === true ? part : flat;
      const found = patterns.map((pattern) => pattern.exec(subject)).find((match) => match !== null);
      if (found !== undefined) findings.push({ rule, place, shown: excerpt(subject, found) });
    }
    if (part.length > limits.definitionTextLongChars) {
      findings.push({ rule: 'long', place, shown: `${text.length} characters` });
    }
    if (findings.length >= limits.definitionFindingsMax)
      return findings.slice(0, limits.definitionFindingsMax);
  }
  return findings;
}

function excerpt(text: string, { 0: found, index }: RegExpExecArray): string {
  const from = Math.max(0, index - 20);
  const part = text.slice(from, index + found.length + 20).slice(0, 200);
  return madeVisible(part.replaceAll(/\s+/g, ' ').trim());
}
