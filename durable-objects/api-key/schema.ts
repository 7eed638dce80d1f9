/**
 * The storage of one API key. Append-only list: every statement creates what is missing and nothing else; what the value holds
 * evolves by `format` in the stored JSON.
 */
export const SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS api_key (
     only INTEGER PRIMARY KEY CHECK (only = 1),
     -- JSON of ApiKeyState: the HMAC of the key, never its secret.
     state TEXT NOT NULL
   )`,
];
