/**
 * `npm run screenshots`: runs a Worker with real payments, and pictures of it: every view of the operations console into
 * .tmp/screenshots (PNG, not kept in the repository), where a Chromium can be had; and the timeline of a payment that was undone
 * into docs/images/timeline.svg, which the README shows.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Envelope } from '../src/domain/events/envelope.ts';
import { readCommandLine } from './command-line.ts';
import { launch, openConsole } from './console-shown/browser.ts';
import { findChromium } from './console-shown/chromium.ts';
import { timelineSvg } from './console-shown/timeline-svg.ts';
import { type ConsoleWorld, get, startConsoleWorld, statusOf, until } from './console-shown/world.ts';
import { ROOT } from './local-worker.ts';

const SCREENSHOTS = join(ROOT, '.tmp/screenshots');
const PICTURE = join(ROOT, 'docs/images/timeline.svg');
const TITLE =
  'A payment whose debit was refused: the authorization is voided at the second try, and the funds are released.';

readCommandLine('npm run screenshots takes no options.', {});

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

const world = await startConsoleWorld(interrupted.signal);
try {
  const { worker, payments } = world;
  await until(async () => (await statusOf(worker, payments.undone)) === 'FAILED');
  const { data } = await get<{ data: Envelope[] }>(worker, `/payments/${payments.undone}/events`);
  mkdirSync(join(PICTURE, '..'), { recursive: true });
  writeFileSync(PICTURE, timelineSvg(data, TITLE));
  console.log(PICTURE);
  await screenshots(world);
} finally {
  await world.worker.stop();
}

async function screenshots({ worker, payments, letters }: ConsoleWorld): Promise<void> {
  const chromium = await findChromium();
  if (chromium.path === null) return console.log(`No screenshots: ${chromium.reason}`);
  mkdirSync(SCREENSHOTS, { recursive: true });
  const browser = await launch(chromium);
  try {
    const views = [
      ['overview', '/', 'Overview'],
      ['payments', '/payments', 'Payments'],
      ['payment', `/payments/${payments.undone}`, 'Payment'],
      ['wallet', '/wallets/wal-1234', 'Wallet'],
      ['providers', '/providers', 'Providers'],
      ['dead-letters', '/dead-letters', 'Dead letters'],
      ['dead-letter', `/dead-letters/${letters[0]}`, 'Dead letter'],
      ['sagas', '/sagas', 'Stuck sagas'],
      ['reconciliation', '/reconciliations', 'Reconciliation'],
    ] as const;
    const sizes = [
      ['desk', 1280],
      ['phone', 375],
    ] as const;
    for (const theme of ['light', 'dark'] as const) {
      for (const [size, width] of sizes) {
        const { page, open, close } = await openConsole(browser, worker.origin, { theme, width });
        for (const [name, address, heading] of views) {
          await open(address, heading);
          const path = join(SCREENSHOTS, `${name}-${size}-${theme}.png`);
          await page.screenshot({ path, fullPage: true });
          console.log(path);
        }
        await close();
      }
    }
  } finally {
    await browser.close();
  }
}
