/** Keys of what runs models, and of what agents search with. */
import { ALNUM, key, keyAround, type KeyFormat, UUID } from './key-format.ts';

export const modelKeys: readonly KeyFormat[] = [
  key('openai-key', 'sk-proj- sk-svcacct- sk-admin- sk-None-', '[\\w-]{40,200}'),
  keyAround('openai-key', 'T3BlbkFJ', { of: /[A-Za-z0-9-]/, min: 23, max: 23 }, `${ALNUM}{20}`),
  key('anthropic-key', 'sk-ant-', '(?:api|admin|oat|ort|sid)\\d{2}-[\\w-]{80,120}'),
  key('deepseek-key', 'sk-', '[0-9a-f]{32}'),
  key('stability-key', 'sk-', `${ALNUM}{48}`),
  key('openrouter-key', 'sk-or-v1-', '[0-9a-f]{64}'),
  key('langfuse-key', 'sk-lf-', UUID),
  key('groq-key', 'gsk_', `${ALNUM}{52}`),
  key('xai-key', 'xai-', `${ALNUM}{80}`),
  key('perplexity-key', 'pplx-', `${ALNUM}{48}`),
  key('replicate-token', 'r8_', `${ALNUM}{37}`),
  key('huggingface-token', 'hf_ api_org_', '[A-Za-z]{34}'),
  key('together-key', 'tgp_v1_', '[\\w-]{43}'),
  key('fireworks-key', 'fw_', `${ALNUM}{22,24}`),
  key('voyage-key', 'pa-', '[\\w-]{43}'),
  key('jina-key', 'jina_', '[\\w-]{60}'),
  key('nvidia-key', 'nvapi-', '[\\w-]{64}'),
  key('elevenlabs-key', 'sk_', '[0-9a-f]{48}'),
  key('langsmith-key', 'lsv2_pt_ lsv2_sk_', '[0-9a-f]{32}_[0-9a-f]{10}'),
  key('pinecone-key', 'pcsk_', `${ALNUM}{5,6}_${ALNUM}{60,64}`),
  key('tavily-key', 'tvly-', '[\\w-]{32,60}'),
  key('firecrawl-key', 'fc-', '[0-9a-f]{32}'),
  key('apify-token', 'apify_api_', `${ALNUM}{36}`),
  key('e2b-key', 'e2b_', '[0-9a-f]{40}'),
];
