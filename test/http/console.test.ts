// The operations console as the Worker serves it: a public page under a strict policy, and its files; no other. What it does in
// a browser is in test/e2e/console.test.ts.
import { describe, expect, it } from 'vitest';
import { problemOf, send } from './client.ts';

async function filesOfPage(): Promise<string[]> {
  const page = await (await send('/console')).text();
  return [...page.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path]) => path ?? '');
}

describe('GET /console', () => {
  it('is a page that runs no inline script, loads nothing from elsewhere, and is asked for anew each time', async () => {
    const response = await send('/console');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none';");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy.replace("style-src 'self' 'unsafe-inline';", '')).not.toMatch(/unsafe|https?:|\*/);
    const page = await response.text();
    expect(page).not.toMatch(/https?:\/\//);
    expect(page).not.toMatch(/<script(?![^>]*src=)|\son\w+=|<style/);
  });

  it('has a script and a stylesheet that a browser may keep, and that load nothing from elsewhere', async () => {
    const files = await filesOfPage();
    expect(files.map((file) => file.replace(/^.*\./, '')).sort()).toEqual(['css', 'js']);
    for (const file of files) {
      const response = await send(file);
      expect(response.status, file).toBe(200);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(response.headers.get('content-type')).toMatch(/^text\/(?:javascript|css); charset=utf-8$/);
      expect(await response.text()).not.toMatch(/@import|url\(["']?https?:|@font-face/);
    }
  });

  it('serves no other file', async () => {
    for (const path of ['/console/index.html', '/console/index.js', '/console/../swagger-ui.css', '/console/a/b.js']) {
      await problemOf(await send(path), 404, 'not_found');
    }
  });
});
