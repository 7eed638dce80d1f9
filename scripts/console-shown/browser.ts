/**
 * The operations console in a real browser, for its tests and screenshots: opens it, goes from view to view, and takes down
 * what should not happen: errors in the console, violations of the page's policy, faults that axe finds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { ROOT } from '../local-worker.ts';
import type { Chromium } from './chromium.ts';

const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');
const ACTION_TIMEOUT_MS = 10_000;

export async function launch({ path, env }: Chromium): Promise<Browser> {
  // A second to load, and only here is it needed.
  const { chromium } = await import('playwright-core');
  // A container's root has no namespaces to put a sandbox into; what is opened here is our own page alone.
  return chromium.launch({ executablePath: path, env, args: ['--no-sandbox'] });
}

export interface ConsolePage {
  readonly page: Page;
  /** What went wrong so far: errors of scripts, messages of the console, violations of the policy. */
  readonly faults: string[];
  /** Goes to a view, by its address (`/payments`), and waits until it has its heading and loads no more. */
  readonly open: (address: string, heading: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface PageOptions {
  readonly theme: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

export async function openConsole(browser: Browser, origin: string, options: PageOptions): Promise<ConsolePage> {
  const { theme, width = 1280, height = 900 } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(ACTION_TIMEOUT_MS);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  // A violation of the policy is an error there too.
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      faults.push(`elsewhere: ${request.url()}`);
  });
  await page.goto(`${origin}/console`);
  const open = async (address: string, heading: string): Promise<void> => {
    await page.evaluate(`location.hash = ${JSON.stringify(address)}`);
    await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
    await page.locator('.loading').first().waitFor({ state: 'detached' });
    await page.waitForFunction('document.querySelectorAll(".loading").length === 0');
  };
  return { page, faults, open, close: () => context.close() };
}

/** What axe finds on the page as it stands, one line each. */
export async function axeFaults(page: Page): Promise<string[]> {
  // Half a megabyte to read, and a page keeps it from view to view.
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(AXE);
  const { violations } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

/** How much wider than the window the page is. */
export async function overflowPx(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
}
