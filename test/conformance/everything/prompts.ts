/** Prompts of the everything server. */
import { completable, type McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { PNG } from './contents.ts';

const said = (text: string) => ({ role: 'user' as const, content: { type: 'text' as const, text } });

export function addPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'Plain.' }, () => ({
    messages: [said('This is a simple prompt for testing.')],
  }));
  const places = ['paris', 'park', 'party', 'london'];
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'With two arguments.',
      argsSchema: z.object({
        arg1: completable(z.string().describe('First test argument'), (start) =>
          places.filter((place) => place.startsWith(start)),
        ),
        arg2: z.string().describe('Second test argument'),
      }),
    },
    ({ arg1, arg2 }) => ({ messages: [said(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'With a resource.', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'resource',
            resource: {
              uri: resourceUri,
              mimeType: 'text/plain',
              text: 'Embedded resource content for testing.',
            },
          },
        },
        said('Please process the embedded resource above.'),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'With an image.' }, () => ({
    messages: [
      { role: 'user', content: { type: 'image', data: PNG, mimeType: 'image/png' } },
      said('Please analyze the image above.'),
    ],
  }));
}
