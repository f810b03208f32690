/**
 * Four servers with the tools that servers of their kind have, described here in other words; and queries, each with the
 * tools that answer it. The queries were written before anything was tuned by them, in the words of people and of models.
 */
import { definitionHash } from '../../../src/mcp/pinning/definition-hash.ts';
import type { ApprovedTool } from '../../../src/mcp/index.ts';

/** Name, description, and parameters with what is said of them. */
type Told = readonly [name: string, description: string, parameters: Readonly<Record<string, string>>];

const REPO = { owner: 'Account that the repository belongs to', repo: 'Name of the repository' };
const PULL = { ...REPO, pull_number: 'Number of the pull request' };
const ISSUE = { ...REPO, issue_number: 'Number of the issue' };
const PAGE = { page: 'Which page', per_page: 'Entries on one page' };
const CHANNEL = { channel_id: 'Id of the channel' };

const GITHUB: readonly Told[] = [
  [
    'create_or_update_file',
    'Writes one file to a branch, as a commit of its own',
    { ...REPO, path: 'Where', content: 'The text', branch: 'Branch', sha: 'Blob that is replaced' },
  ],
  ['search_repositories', 'Looks for repositories by a GitHub query', { query: 'What to look for', ...PAGE }],
  ['create_repository', 'Makes a new repository in your account', { name: 'Name', private: 'Hidden or not' }],
  [
    'get_file_contents',
    'Gives what a file holds, or the entries of a folder, of a repository',
    { ...REPO, path: 'Which file or folder', branch: 'Branch' },
  ],
  [
    'push_files',
    'Puts several files on a branch in one commit',
    { ...REPO, branch: 'Branch', files: 'Paths with contents', message: 'Commit message' },
  ],
  ['create_issue', 'Opens an issue', { ...REPO, title: 'Title', body: 'Text', labels: 'Labels' }],
  [
    'create_pull_request',
    'Opens a pull request from one branch to another',
    { ...REPO, title: 'Title', head: 'From', base: 'To', draft: 'Whether it is a draft' },
  ],
  [
    'fork_repository',
    'Forks a repository to your account or an organization',
    { ...REPO, organization: 'Where' },
  ],
  ['create_branch', 'Starts a branch', { ...REPO, branch: 'Its name', from_branch: 'Where it starts' }],
  ['list_commits', 'Commits of a branch, the newest first', { ...REPO, sha: 'Branch or commit', ...PAGE }],
  [
    'list_issues',
    'Issues of a repository, filtered and sorted',
    {
      ...REPO,
      state: 'open, closed or all',
      labels: 'Labels',
      assignee: 'Who has it',
      since: 'Changed since',
    },
  ],
  [
    'update_issue',
    'Alters an issue',
    { ...ISSUE, title: 'Title', state: 'open or closed', assignees: 'Who has it' },
  ],
  ['add_issue_comment', 'Says something under an issue', { ...ISSUE, body: 'The comment' }],
  ['search_code', 'Looks for code across repositories', { q: 'GitHub code query', ...PAGE }],
  ['search_issues', 'Looks for issues and pull requests everywhere', { q: 'GitHub query', sort: 'Order' }],
  ['search_users', 'Looks for accounts', { q: 'GitHub query', ...PAGE }],
  ['get_issue', 'One issue with all that is known of it', ISSUE],
  ['get_pull_request', 'One pull request with all that is known of it', PULL],
  [
    'list_pull_requests',
    'Pull requests of a repository',
    { ...REPO, state: 'State', head: 'From', base: 'To' },
  ],
  [
    'create_pull_request_review',
    'Reviews a pull request: approve, ask for changes, or only comment',
    {
      ...PULL,
      body: 'The verdict in words',
      event: 'APPROVE, REQUEST_CHANGES or COMMENT',
      comments: 'At lines',
    },
  ],
  ['merge_pull_request', 'Merges a pull request', { ...PULL, merge_method: 'merge, squash or rebase' }],
  ['get_pull_request_files', 'The files that a pull request changes', PULL],
  ['get_pull_request_status', 'What the checks of a pull request say, all together', PULL],
  ['update_pull_request_branch', 'Brings a pull request up to date with its base', PULL],
  ['get_pull_request_comments', 'What reviewers said at lines of a pull request', PULL],
  ['get_pull_request_reviews', 'The reviews that a pull request got', PULL],
];

const SLACK: readonly Told[] = [
  [
    'slack_list_channels',
    'Public channels of the workspace, page by page',
    { limit: 'How many', cursor: 'Page' },
  ],
  ['slack_post_message', 'Says something in a channel', { ...CHANNEL, text: 'The message' }],
  [
    'slack_reply_to_thread',
    'Answers in the thread of a message',
    { ...CHANNEL, thread_ts: 'Time stamp of the first message', text: 'The reply' },
  ],
  [
    'slack_add_reaction',
    'Puts an emoji on a message',
    { ...CHANNEL, timestamp: 'Which', reaction: 'Emoji name' },
  ],
  ['slack_get_channel_history', 'The latest messages of a channel', { ...CHANNEL, limit: 'How many' }],
  ['slack_get_thread_replies', 'All replies in a thread', { ...CHANNEL, thread_ts: 'First message' }],
  ['slack_get_users', 'Everybody in the workspace with what their profiles say', { cursor: 'Page' }],
  ['slack_get_user_profile', 'The whole profile of one person', { user_id: 'Id of the person' }],
];

const POSTGRES: readonly Told[] = [
  ['list_schemas', 'The schemas of the database', {}],
  ['list_objects', 'Tables, views and sequences of a schema', { schema_name: 'Schema', object_type: 'Kind' }],
  [
    'get_object_details',
    'Columns, constraints and indexes of a table or view',
    { schema_name: 'Schema', object_name: 'Table or view' },
  ],
  ['execute_sql', 'Runs any SQL statement', { sql: 'The statement' }],
  [
    'explain_query',
    'The plan that a query would be run by, and its cost',
    { sql: 'The query', analyze: 'Run it' },
  ],
  [
    'get_top_queries',
    'The slowest queries, or those that take most of all',
    { sort_by: 'Order', limit: 'How many' },
  ],
  ['analyze_workload_indexes', 'Which indexes the load as a whole asks for', { max_index_size_mb: 'Size' }],
  ['analyze_query_indexes', 'Which indexes certain queries ask for', { queries: 'Up to ten queries' }],
  [
    'analyze_db_health',
    'Looks after vacuum, caches, connections, replication',
    { health_type: 'Which check' },
  ],
];

const PATH = { path: 'Which' };
const FILES: readonly Told[] = [
  ['read_text_file', 'Gives a file as text', { ...PATH, head: 'First lines only', tail: 'Last lines only' }],
  ['read_media_file', 'Gives an image or a sound in base64 with its type', PATH],
  ['read_multiple_files', 'Gives several files at once', { paths: 'Which' }],
  [
    'write_file',
    'Makes a file, or puts new contents in place of all of it',
    { ...PATH, content: 'Contents' },
  ],
  [
    'edit_file',
    'Changes lines of a text file',
    { ...PATH, edits: 'What becomes what', dryRun: 'Only show it' },
  ],
  ['create_directory', 'Makes a folder and those above it', PATH],
  ['list_directory', 'What is in a folder', PATH],
  [
    'list_directory_with_sizes',
    'What is in a folder and how large it is',
    { ...PATH, sortBy: 'name or size' },
  ],
  [
    'directory_tree',
    'A folder and everything below it, as nested JSON',
    { ...PATH, excludePatterns: 'Without' },
  ],
  ['move_file', 'Moves a file or folder, or gives it another name', { source: 'From', destination: 'To' }],
  [
    'search_files',
    'Files and folders below a folder whose names match a pattern',
    { ...PATH, pattern: 'Glob' },
  ],
  ['get_file_info', 'Size, times and permissions of a file or folder', PATH],
  ['list_allowed_directories', 'The folders that may be used at all', {}],
];

export const CATALOGUES: Readonly<Record<string, readonly ApprovedTool[]>> = {
  github: GITHUB.map(approved),
  slack: SLACK.map(approved),
  postgres: POSTGRES.map(approved),
  files: FILES.map(approved),
};

/** A query, and the tools any of which answers it: `server__tool`. */
export const QUERIES: readonly (readonly [query: string, ...expected: string[]])[] = [
  ['create an issue', 'github__create_issue'],
  ['file a bug report', 'github__create_issue'],
  ['open a ticket in the repository', 'github__create_issue'],
  ['close an issue', 'github__update_issue'],
  ['assign an issue to someone', 'github__update_issue'],
  ['comment on an issue', 'github__add_issue_comment'],
  ['list open issues', 'github__list_issues'],
  ['find issues about login errors', 'github__search_issues', 'github__list_issues'],
  ['open a pull request', 'github__create_pull_request'],
  ['make a PR', 'github__create_pull_request'],
  ['merge PR', 'github__merge_pull_request'],
  ['squash and merge', 'github__merge_pull_request'],
  ['approve a pull request', 'github__create_pull_request_review'],
  ['code review', 'github__create_pull_request_review', 'github__get_pull_request_reviews'],
  ['which files does a pull request change', 'github__get_pull_request_files'],
  ['did the CI checks pass', 'github__get_pull_request_status'],
  ['new branch', 'github__create_branch'],
  ['latest commits', 'github__list_commits'],
  ['git log', 'github__list_commits'],
  ['read a file from github', 'github__get_file_contents'],
  ['commit several files', 'github__push_files'],
  ['search for code', 'github__search_code'],
  ['find repos about machine learning', 'github__search_repositories'],
  ['fork a repo', 'github__fork_repository'],
  ['create new repository', 'github__create_repository'],
  ['send a message to a channel', 'slack__slack_post_message'],
  ['post in #general', 'slack__slack_post_message'],
  ['slack message', 'slack__slack_post_message'],
  ['reply in a thread', 'slack__slack_reply_to_thread'],
  ['read recent messages in a channel', 'slack__slack_get_channel_history'],
  ['react with thumbs up emoji', 'slack__slack_add_reaction'],
  ['who is in the slack workspace', 'slack__slack_get_users'],
  ['list channels', 'slack__slack_list_channels'],
  ['look up a user profile', 'slack__slack_get_user_profile'],
  ['run a SQL query', 'postgres__execute_sql'],
  ['query the database', 'postgres__execute_sql', 'postgres__explain_query'],
  ['what tables are there', 'postgres__list_objects'],
  ['columns of a table', 'postgres__get_object_details'],
  ['describe table schema', 'postgres__get_object_details', 'postgres__list_objects'],
  ['slow queries', 'postgres__get_top_queries'],
  ['suggest indexes', 'postgres__analyze_query_indexes', 'postgres__analyze_workload_indexes'],
  ['query plan', 'postgres__explain_query'],
  ['is the database healthy', 'postgres__analyze_db_health'],
  ['read file', 'files__read_text_file', 'files__read_multiple_files'],
  ['write text to a file', 'files__write_file'],
  ['save a document', 'files__write_file'],
  ['rename a file', 'files__move_file'],
  ['make a folder', 'files__create_directory'],
  ['list files in a directory', 'files__list_directory'],
  ['find files by name pattern', 'files__search_files'],
  ['show the directory structure', 'files__directory_tree'],
  ['file size and permissions', 'files__get_file_info'],
  ['view an image', 'files__read_media_file'],
  ['replace some lines in a file', 'files__edit_file'],
  ['edit the config file', 'files__edit_file'],
  ['which directories can I access', 'files__list_allowed_directories'],
  ['create_pull_request_review', 'github__create_pull_request_review'],
  ['githb reposiotry serach', 'github__search_repositories'],
  ['listDirectoryWithSizes', 'files__list_directory_with_sizes'],
  ['answer what somebody wrote on slack', 'slack__slack_reply_to_thread'],
];

function approved([name, description, parameters]: Told): ApprovedTool {
  const properties = Object.fromEntries(
    Object.entries(parameters).map(([parameter, said]) => [parameter, { type: 'string', description: said }]),
  );
  const readOnlyHint = /^(?:slack_)?(?:get|list|read|search|directory|explain|analyze)/.test(name);
  const inputSchema = { type: 'object', properties };
  const text = JSON.stringify({ name, description, inputSchema, annotations: { readOnlyHint } });
  return { name, text, hash: definitionHash(text) };
}
