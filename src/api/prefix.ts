/** Where the API is, below its host. */
export const API_PREFIX = '/api/v1';
