/**
 * The security headers of every answer (OWASP REST Security Cheat Sheet), and the content policies that there are. A route that
 * serves a page sets one of these itself, `c.header('Content-Security-Policy', CONTENT_POLICIES.reference)`, or its own
 * Cache-Control; whatever a route has not set is set by the request context, on errors as well.
 */

export const CONTENT_POLICIES = {
  /** JSON and errors: nothing in them is to be shown, run or framed by a browser. */
  none: "default-src 'none'; frame-ancestors 'none'",
  /** GET /docs. `data:` images are the icons inside Swagger UI's own stylesheet. */
  reference:
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  /**
   * The operations console: its components place their layers by style attributes (decision 0072), and have `data:` images in their
   * styles; scripts are files of our own, and nothing else is reached.
   */
  console:
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  // Payments and balances: never kept by anything between us and the client.
  'Cache-Control': 'no-store',
  'Content-Security-Policy': CONTENT_POLICIES.none,
  // No page of another origin loads an answer as an image or a script. There are no CORS headers at all: none may read one either.
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  // For browsers older than `frame-ancestors`.
  'X-Frame-Options': 'DENY',
};
