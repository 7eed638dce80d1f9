/**
 * The operations console in a real Chromium, on a running Worker with real payments: every view in both themes, by keyboard and
 * at the width of a phone; live timelines; and every kind of change that an operator makes.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Overview } from '../../client/src/generated.ts';
import {
  axeFaults,
  type ConsolePage,
  launch,
  openConsole,
  overflowPx,
  type PageOptions,
} from '../../scripts/console-shown/browser.ts';
import { type FoundChromium, findChromium } from '../../scripts/console-shown/chromium.ts';
import { type ConsoleWorld, get, pay, startConsoleWorld, statusOf, until } from '../../scripts/console-shown/world.ts';

/** The void of a payment is tried for 30 s in sandbox mode before a person is asked. */
const ATTENTION_TIMEOUT_MS = 60_000;
const PHONE_WIDTH = 375;

let chromium: FoundChromium;
let browser: Browser | null = null;
let world: ConsoleWorld | null = null;
const opened: ConsolePage[] = [];

beforeAll(async () => {
  chromium = await findChromium();
  if (chromium.path === null) return;
  [browser, world] = await Promise.all([launch(chromium), startConsoleWorld(new AbortController().signal)]);
}, 240_000);

afterAll(async () => {
  await browser?.close();
  await world?.worker.stop();
});

beforeEach(({ skip }) => {
  if (chromium.path === null) skip(chromium.reason);
  return async () => {
    for (const page of opened.splice(0)) await page.close();
  };
});

async function show(options: PageOptions = { theme: 'light' }): Promise<ConsolePage & { world: ConsoleWorld }> {
  if (browser === null || world === null) throw new Error('neither browser nor Worker');
  const console = await openConsole(browser, world.worker.origin, options);
  opened.push(console);
  return { ...console, world };
}

/** Every view, by its address and heading. */
function viewsOf(
  { payments, refundId, letters }: ConsoleWorld,
  reportId: string,
): [address: string, heading: string][] {
  return [
    ['/', 'Overview'],
    ['/payments', 'Payments'],
    ['/payments?wallet_id=nobody', 'Payments'],
    [`/payments/${payments.completed}`, 'Payment'],
    [`/payments/${payments.undone}`, 'Payment'],
    [`/payments/${payments.stuck}`, 'Payment'],
    [`/refunds/${refundId}`, 'Refund'],
    ['/wallets', 'Wallets'],
    ['/wallets/wal-1234', 'Wallet'],
    ['/providers', 'Providers'],
    ['/dead-letters', 'Dead letters'],
    [`/dead-letters/${letters[0]}`, 'Dead letter'],
    ['/sagas', 'Stuck sagas'],
    ['/reconciliations', 'Reconciliation'],
    [`/reconciliations/${reportId}`, 'Reconciliation report'],
    ['/nowhere', 'Nothing here'],
  ];
}

function refusal(status: number, code: string, detail: string) {
  return { status, contentType: 'application/problem+json', body: JSON.stringify({ code, detail, status }) };
}

/** Fills in who and why, and submits; answers what the dialog then says. */
async function operate({ page }: ConsolePage, verb: string): Promise<string> {
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Actor').fill('jane');
  await dialog.getByLabel('Reason').fill('console test');
  await dialog.getByRole('button', { name: verb, exact: true }).click();
  const text = (await dialog.getByRole('status').filter({ hasText: 'Done' }).textContent()) ?? '';
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'detached' });
  return text;
}

describe('a reconciliation', () => {
  test('is begun from the console, and its report opened', async () => {
    const console = await show();
    await console.open('/reconciliations', 'Reconciliation');
    await console.page.getByText('No reports').waitFor();
    await console.page.getByRole('button', { name: 'Begin…' }).click();
    expect(await operate(console, 'Begin')).toMatch(/It runs: rec_/);
    await console.page.getByRole('link', { name: /^rec_/ }).click();
    await console.page.getByRole('heading', { level: 1, name: 'Reconciliation report' }).waitFor();
    await console.page.getByText('finished', { exact: true }).waitFor({ timeout: 20_000 });
    expect(console.faults).toEqual([]);
  });
});

describe('every view', () => {
  test.each<[string, PageOptions]>([
    ['light, at the width of a desk', { theme: 'light' }],
    ['dark, at the width of a phone', { theme: 'dark', width: PHONE_WIDTH, height: 800 }],
  ])('%s: no fault that axe finds, no scrolling sideways, no error, no violation', async (_name, options) => {
    const console = await show(options);
    const { data } = await get<{ data: { id: string }[] }>(console.world.worker, '/ops/reconciliations');
    for (const [address, heading] of viewsOf(console.world, data[0]?.id ?? '')) {
      await console.open(address, heading);
      expect(await axeFaults(console.page), address).toEqual([]);
      expect(await overflowPx(console.page), address).toBeLessThanOrEqual(0);
    }
    expect(await console.page.evaluate('getComputedStyle(document.body).colorScheme')).toBe(options.theme);
    expect(console.faults).toEqual([]);
  });

  test('light at the width of a phone has no scrolling sideways either, and neither has a dialog', async () => {
    const console = await show({ theme: 'light', width: PHONE_WIDTH, height: 700 });
    await console.open('/providers', 'Providers');
    await console.page.getByRole('button', { name: 'Force open acme all' }).click();
    await console.page.getByRole('dialog').waitFor();
    expect(await axeFaults(console.page)).toEqual([]);
    expect(await overflowPx(console.page)).toBeLessThanOrEqual(0);
  });

  test('goes by the system’s theme until one is chosen, and keeps that', async () => {
    const console = await show({ theme: 'light' });
    const mode = () => console.page.evaluate('document.documentElement.dataset.mode');
    await expect.poll(mode).toBe('light');
    await console.page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(mode).toBe('dark');
    await console.page.getByRole('button', { name: 'Light theme' }).click();
    await expect.poll(mode).toBe('light');
    await console.page.reload();
    await expect.poll(mode).toBe('light');
  });
});

describe('payments', () => {
  test('are searched by wallet, reference, status and time, and paged', async () => {
    const console = await show();
    const { page } = console;
    await console.open('/payments', 'Payments');
    const rows = page.getByRole('row');
    // Typed, and not searched for: the address is as it was.
    await page.getByLabel('Wallet').fill('a mistake');
    await page.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => page.getByLabel('Wallet').inputValue()).toBe('');
    await page.getByLabel('Wallet').fill('wal-many');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('Shown: 25', { exact: true }).waitFor();
    // The focus stays where it was.
    await expect.poll(() => page.evaluate('document.activeElement?.textContent')).toBe('Search');
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('Shown: 26', { exact: true }).waitFor();
    await expect.poll(() => rows.count()).toBe(27);
    expect(page.url()).toContain('#/payments?wallet_id=wal-many');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByLabel('Reference').fill('order-declined');
    await page.getByLabel('Status').selectOption('FAILED');
    await page.getByLabel('Made from').fill('2020-01-01T00:00');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('Shown: 1', { exact: true }).waitFor();
    await page.getByText('gateway declined').waitFor();
    await page.getByLabel('Made before').fill('2020-01-02T00:00');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('No payments').waitFor();
    expect(console.faults).toEqual([]);
  });

  test('are found by id, and so are refunds; an id of nothing says so and can be tried again', async () => {
    const console = await show();
    const { page } = console;
    await console.open('/payments', 'Payments');
    await page.getByLabel('Payment or refund id').fill(` ${console.world.refundId} `);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('heading', { level: 1, name: 'Refund' }).waitFor();
    await page.getByRole('heading', { name: console.world.refundId }).waitFor();
    await page.goBack();
    await page.getByLabel('Payment or refund id').fill('pay_nothing');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('alert').getByText('There is no such resource').first().waitFor();
    await page.getByRole('button', { name: 'Try again' }).first().waitFor();
  });
});

describe('a page of a list that could not be had', () => {
  test('is asked for again by the same button', async () => {
    const console = await show();
    const { page } = console;
    let refusals = 1;
    await page.route(/\/payments\?.*cursor=/, (route) =>
      refusals-- > 0 ? route.fulfill(refusal(503, 'overloaded', 'Too much at once.')) : route.continue(),
    );
    await console.open('/payments?wallet_id=wal-many', 'Payments');
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByRole('alert').getByText('Too much at once.').waitFor();
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('Shown: 26', { exact: true }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });
});

describe('the overview', () => {
  /** The overview as it is, but for this. */
  async function shownWith(changes: (overview: Overview) => Partial<Overview>) {
    const console = await show();
    await console.page.route('**/ops/overview**', async (route) => {
      const overview = (await (await route.fetch()).json()) as Overview;
      return route.fulfill({ json: { ...overview, ...changes(overview) } });
    });
    await console.page.reload();
    await console.page.getByRole('heading', { level: 2, name: 'Money in limbo' }).waitFor();
    return console.page;
  }

  test('says where there is more than it counts', async () => {
    const page = await shownWith(() => ({ sagas_truncated: true }));
    const tiles = page.locator('.tile');
    for (const name of ['Need a person', 'Stand still', 'Unfinished']) {
      await tiles
        .filter({ hasText: name })
        .getByText(/^\d+ or more$/)
        .waitFor();
    }
    await tiles.filter({ hasText: 'Dead letters' }).getByText(/^\d+$/).waitFor();
    await page.getByText('More is in limbo than is counted here.').waitFor();
  });

  test("does not call none what a merchant's key is not shown", async () => {
    const page = await shownWith(() => ({ breakers: [], sweep: null, reconciliation: null }));
    await expect.poll(() => page.getByText('shown to platform keys').count()).toBe(2);
    expect(await page.getByText(/All 0 are closed|none yet/).count()).toBe(0);
  });

  test('counts no payments over time for a platform key, and does not draw that as none', async () => {
    const page = await shownWith(({ activity }) => ({
      activity: {
        ...activity,
        truncated: true,
        slots: activity.slots.map(({ from }) => ({ from, completed: 0, failed: 0, pending: 0 })),
      },
    }));
    await page.getByText('Payments over time are counted for one merchant').waitFor();
    expect(await page.getByRole('img', { name: /Payments made/ }).count()).toBe(0);
  });
});

describe('a key that sees sagas and no payments', () => {
  test('has a saga that needs a person, what it is of, and its moves', async () => {
    const console = await show();
    const { page, world: shown } = console;
    await page.route(/\/(?:payments|refunds)\b/, (route) =>
      route.fulfill(refusal(403, 'forbidden', 'The API key lacks: payments:read.')),
    );
    const attention = {
      reason: 'compensation_failed',
      says: 'It was not undone.',
      moves: { retry: true, resolve: [] },
    };
    await page.route('**/ops/sagas/*', async (route) =>
      route.fulfill({ json: { ...(await (await route.fetch()).json()), attention } }),
    );
    for (const [address, heading, id] of [
      [`/payments/${shown.payments.completed}`, 'Payment', shown.payments.completed],
      [`/refunds/${shown.refundId}`, 'Refund', shown.refundId],
    ] as const) {
      await console.open(address, heading);
      await page.getByRole('heading', { level: 2, name: id }).waitFor();
      await page.getByRole('button', { name: 'Retry…' }).waitFor();
      await page.getByRole('alert').getByText('The API key lacks: payments:read.').waitFor();
    }
  });
});

describe('a timeline', () => {
  const steps = (page: ConsolePage['page']): Promise<string[]> =>
    page.getByRole('group', { name: 'Steps', exact: true }).getByRole('row').allInnerTexts();

  test('shows steps, retries, what was undone and how long it took, as a picture and as a table', async () => {
    const console = await show();
    const { page, world: shown } = console;
    await until(async () => (await statusOf(shown.worker, shown.payments.undone)) === 'FAILED');
    await console.open(`/payments/${shown.payments.undone}`, 'Payment');
    await page.getByText('Complete: nothing more will come.').waitFor();
    const picture = page.getByRole('img', { name: /The payment's steps over time/ });
    expect(await picture.getAttribute('aria-label')).toMatch(/Void: done, \d attempts.*Release funds: done.*failed/);
    expect(await picture.locator('rect.bar.unknown').count()).toBeGreaterThan(0);
    expect(await picture.locator('rect.bar.done.undo').count()).toBe(2);
    expect(await picture.locator('text.mark-label').allTextContents()).toEqual(['created', 'failed']);
    const rows = (await steps(page)).map((row) => row.replaceAll(/\s+/g, ' ').trim());
    expect(rows).toContainEqual(expect.stringMatching(/^Debit 1 \+[\d.]+ m?s [\d.]+ m?s refused/));
    expect(rows).toContainEqual(expect.stringMatching(/^Void \(undoes\) 2 .* done VOIDED acme$/));
    // A bar for each attempt of the table, whose first row is its head.
    expect(await picture.locator('rect.bar').count()).toBe(rows.length - 1);
  });

  test('grows while the payment runs, and its facts with it', async () => {
    const console = await show();
    const { page, world: shown } = console;
    // Its provider does not answer, and is asked again: three seconds.
    const id = await pay(shown.worker, 'watched', 'pm_sim_timeout_after_success');
    await console.open(`/payments/${id}`, 'Payment');
    await page.getByText('Live', { exact: true }).waitFor();
    // Every change of the page, and not a look at it now and then: two steps may be a few milliseconds apart.
    await page.evaluate(`
      globalThis.barCounts = new Set();
      const count = () => barCounts.add(document.querySelectorAll('svg.timeline rect.bar').length);
      count();
      new MutationObserver(count).observe(document.body, { childList: true, subtree: true });
    `);
    await page.getByText('Complete: nothing more will come.').waitFor({ timeout: 40_000 });
    expect(await page.evaluate('barCounts.size')).toBeGreaterThan(2);
    await page.getByText('COMPLETED', { exact: true }).waitFor();
    await page.locator('text.mark-label', { hasText: 'completed' }).waitFor();
    expect(console.faults).toEqual([]);
  });

  test('whose stream is cut goes on after the last event that it had', async () => {
    const console = await show();
    const { page, world: shown } = console;
    const asked: (string | undefined)[] = [];
    await page.route('**/events', async (route) => {
      const lastEventId = route.request().headers()['last-event-id'];
      asked.push(lastEventId);
      if (asked.length > 1) return route.continue();
      const { data } = await get<{ data: { event_type: string }[] }>(
        shown.worker,
        new URL(route.request().url()).pathname,
      );
      const events = data
        .slice(0, 3)
        .map((event, at) => `id: ${at + 1}\nevent: ${event.event_type}\ndata: ${JSON.stringify(event)}\n\n`);
      // The fourth is cut in the middle.
      const body = `retry: 1000\n\n${events.join('')}id: 4\ndata: {"event`;
      return route.fulfill({ status: 200, contentType: 'text/event-stream', body });
    });
    await console.open(`/payments/${shown.payments.completed}`, 'Payment');
    await page.getByText('Complete: nothing more will come.').waitFor();
    expect(asked.slice(0, 2)).toEqual(['0', '3']);
    const numbers = await page
      .getByRole('group', { name: 'Events' })
      .locator('tbody tr td:first-child')
      .allInnerTexts();
    expect(numbers).toEqual(numbers.map((_, at) => String(at + 1)));
    expect(numbers.length).toBeGreaterThan(8);
  });
});

describe('a timeline that has ended', () => {
  test('is followed further where its saga went on', async () => {
    const console = await show();
    const { page, world: shown } = console;
    let asked = 0;
    await page.route('**/events', async (route) => {
      asked += 1;
      if (asked > 2) return route.continue();
      if (asked === 2) return route.fulfill({ status: 204 });
      const { data } = await get<{ data: object[] }>(shown.worker, new URL(route.request().url()).pathname);
      const events = data.slice(0, 3).map((event, at) => `id: ${at + 1}\ndata: ${JSON.stringify(event)}\n\n`);
      return route.fulfill({ status: 200, contentType: 'text/event-stream', body: events.join('') });
    });
    await console.open(`/payments/${shown.payments.completed}`, 'Payment');
    const rows = page.getByRole('group', { name: 'Events' }).locator('tbody tr');
    await expect.poll(() => rows.count()).toBeGreaterThan(8);
    await page.getByText('Complete: nothing more will come.').waitFor();
  });

  test('and is past its retention is read from the record, and asks nobody for anything', async () => {
    const console = await show();
    const { page, world: shown } = console;
    await page.route('**/ops/sagas/*', (route) =>
      route.fulfill(refusal(404, 'not_found', 'There is no such resource.')),
    );
    await page.route('**/events', (route) =>
      route.request().headers().accept === 'text/event-stream'
        ? route.fulfill(refusal(410, 'record_archived', 'It has been archived.'))
        : route.continue(),
    );
    await console.open(`/payments/${shown.payments.completed}`, 'Payment');
    await page.getByText('Complete: nothing more will come.').waitFor();
    await page.getByRole('group', { name: 'Steps', exact: true }).getByText('DEBITED').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });
});

describe('a wallet', () => {
  test('is found in the directory, with its balances, ledger and payments', async () => {
    const console = await show();
    const { page } = console;
    await console.open('/wallets', 'Wallets');
    await page.getByLabel('Id begins with').fill('wal-12');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('Shown: 1', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'wal-1234' }).click();
    await page.getByRole('heading', { level: 1, name: 'Wallet', exact: true }).waitFor();
    const ledger = page.getByRole('group', { name: 'Ledger' });
    await ledger.getByText('deposit').first().waitFor();
    await expect.poll(() => ledger.getByRole('row').count()).toBeGreaterThan(5);
    await page.getByRole('group', { name: 'Payments of this wallet' }).getByText('COMPLETED').first().waitFor();
    expect(console.faults).toEqual([]);
  });

  test('is frozen and unfrozen', async () => {
    const console = await show();
    const { page } = console;
    await console.open('/wallets/wal-1234', 'Wallet');
    await page.getByRole('button', { name: 'Freeze…', exact: true }).click();
    expect(await operate(console, 'Freeze')).toContain('The wallet is frozen.');
    await page.getByRole('button', { name: 'Unfreeze…' }).click();
    expect(await operate(console, 'Unfreeze')).toContain('The wallet is not frozen.');
    await page.getByRole('button', { name: 'Freeze…', exact: true }).waitFor();
    expect(console.faults).toEqual([]);
  });
});

describe('a change', () => {
  test('that is under way is not called off by closing; its answer lost, what is shown is read again', async () => {
    const console = await show();
    const { page } = console;
    const answered = Promise.withResolvers<void>();
    await page.route('**/freeze', async (route) => {
      // It is made, and nobody hears of it.
      await route.fetch();
      await answered.promise;
      return route.abort();
    });
    await console.open('/wallets/wal-many', 'Wallet');
    await page.getByRole('button', { name: 'Freeze…', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Actor').fill('jane');
    await dialog.getByLabel('Reason').fill('lost');
    await dialog.getByRole('button', { name: 'Freeze', exact: true }).click();
    await expect.poll(() => dialog.getByRole('button', { name: 'Cancel' }).isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    answered.resolve();
    await dialog.getByText('Whether it was done is not known.').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Unfreeze…' }).click();
    expect(await operate(console, 'Unfreeze')).toContain('The wallet is not frozen.');
  });
});

describe('a breaker', () => {
  test('is forced open and let go again, and the overview shows it', async () => {
    const console = await show();
    const { page } = console;
    await console.open('/providers', 'Providers');
    await page.getByRole('button', { name: 'Force open borealis refund' }).click();
    expect(await operate(console, 'Force open')).toContain('refund is forced open');
    await page.getByRole('group', { name: 'Breakers of borealis' }).getByText('forced open').waitFor();
    await console.open('/', 'Overview');
    await page.getByText('borealis, refund').waitFor();
    await console.open('/providers', 'Providers');
    await page.getByRole('button', { name: 'Automatic borealis refund' }).click();
    expect(await operate(console, 'Automatic')).toContain('refund is closed');
    expect(console.faults).toEqual([]);
  });
});

describe('dead letters', () => {
  test('are filtered, and redriven together', async () => {
    const console = await show();
    const { page, world: shown } = console;
    await console.open('/dead-letters', 'Dead letters');
    await page.getByLabel('Queue').selectOption('notifications');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('No dead letters').waitFor();
    await page.getByLabel('Queue').selectOption('wallet-commands');
    await page.getByLabel('Payment, refund or endpoint').fill(shown.payments.completed);
    await page.getByRole('button', { name: 'Search' }).click();
    for (const id of shown.letters.slice(0, 2)) await page.getByLabel(`Choose ${id}`).check();
    await page.getByRole('button', { name: 'Redrive 2 chosen…' }).click();
    expect(await operate(console, 'Redrive')).toContain('2 redriven: no longer awaited');
    await expect.poll(() => page.getByText('redriven', { exact: true }).count()).toBe(2);
    expect(console.faults).toEqual([]);
  });

  test('are looked into one by one: redriven, or discarded', async () => {
    const console = await show();
    const { page, world: shown } = console;
    const [, , third, fourth] = shown.letters;
    await console.open(`/dead-letters/${third}`, 'Dead letter');
    await page.getByText('"event_type": "orchestrator.wallet.debit"').waitFor();
    await page.getByRole('button', { name: 'Redrive…' }).click();
    expect(await operate(console, 'Redrive')).toContain('redriven: no longer awaited');
    await console.open(`/dead-letters/${fourth}`, 'Dead letter');
    await page.getByRole('button', { name: 'Discard…' }).click();
    expect(await operate(console, 'Discard')).toContain('The letter is discarded.');
    await page.getByText('console test').waitFor();
    await expect.poll(() => page.getByRole('button', { name: 'Discard…' }).count()).toBe(0);
    expect(console.faults).toEqual([]);
  });

  test('that the API refuses to change say why, and keep what was typed', async () => {
    const console = await show();
    const { page, world: shown } = console;
    await page.route('**/redrive', (route) =>
      route.fulfill({
        status: 503,
        contentType: 'application/problem+json',
        body: JSON.stringify({ code: 'overloaded', detail: 'Too much at once.', request_id: 'req-1' }),
      }),
    );
    await console.open('/dead-letters', 'Dead letters');
    await console.open(`/dead-letters/${shown.letters[0]}`, 'Dead letter');
    await page.getByText('"event_type": "orchestrator.wallet.debit"').waitFor();
    expect(await page.getByRole('button', { name: 'Redrive…' }).count()).toBe(0);
    await console.open('/providers', 'Providers');
    await page.route('**/ops/breakers/acme', (route) =>
      route.fulfill({
        status: 503,
        contentType: 'application/problem+json',
        body: JSON.stringify({ code: 'overloaded', detail: 'Too much at once.', request_id: 'req-1' }),
      }),
    );
    await page.getByRole('button', { name: 'Force closed acme all' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Actor').fill('jane');
    await dialog.getByLabel('Reason').fill('refused');
    await dialog.getByRole('button', { name: 'Force closed' }).click();
    await dialog.getByRole('alert').getByText('Too much at once.').waitFor();
    await dialog.getByText('(overloaded, request req-1)').waitFor();
    expect(await dialog.getByLabel('Reason').inputValue()).toBe('refused');
  });
});

describe('the key', () => {
  const KEY = 'hf_sandbox_test';

  test('is asked for when the API wants one, kept in the tab alone, and sent with every call', async () => {
    const console = await show();
    const { page, world: shown } = console;
    const sent = new Set<string | undefined>();
    await page.route(/\/(?:ops|payments|refunds|wallets)\b/, (route) => {
      const { authorization } = route.request().headers();
      sent.add(authorization);
      if (authorization === undefined || authorization === 'Bearer wrong') {
        return route.fulfill(refusal(401, 'unauthenticated', 'No key.'));
      }
      if (authorization === 'Bearer weak') return route.fulfill(refusal(403, 'forbidden', 'Missing scope.'));
      return route.continue();
    });
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'API key' }).waitFor();
    await page.getByText('This deployment asks who is calling.').waitFor();
    expect(await axeFaults(page)).toEqual([]);
    const use = async (key: string): Promise<void> => {
      await page.getByLabel('API key').fill(key);
      await page.getByRole('button', { name: 'Use key' }).click();
    };
    // As a program that writes texts makes of it: no header takes that.
    await use('hf_sandbox_…');
    expect(await page.evaluate('document.querySelector("[name=key]").validity.patternMismatch')).toBe(true);
    await use('wrong');
    await page.getByText('This key is not known, has been revoked, or has expired. No key.').waitFor();
    await use('weak');
    await page.getByText('This key may not do that: it needs the scope ops. Missing scope.').waitFor();
    await use(KEY);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    sent.clear();
    await console.open(`/payments/${shown.payments.completed}`, 'Payment');
    await page.getByText('Complete: nothing more will come.').waitFor();
    expect([...sent]).toEqual([`Bearer ${KEY}`]);
    expect(await page.evaluate('JSON.stringify([localStorage.length, document.cookie])')).toBe('[0,""]');
    expect(page.url()).not.toContain(KEY);
    await page.getByRole('button', { name: 'Forget key' }).click();
    await page.getByText('This deployment asks who is calling.').waitFor();
    await expect.poll(() => page.evaluate('sessionStorage.getItem("holdfast.key")')).toBeNull();
  });
});

describe('a stuck saga', () => {
  test('is found and resolved by the keyboard alone', async () => {
    const console = await show();
    const { page, world: shown } = console;
    const { stuck } = shown.payments;
    const path = `/ops/sagas/${stuck}`;
    const needsPerson = async () => (await get<{ attention: object | null }>(shown.worker, path)).attention !== null;
    await until(needsPerson, ATTENTION_TIMEOUT_MS);
    await until(async () => JSON.stringify(await get(shown.worker, '/ops/sagas')).includes(stuck));
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    const focused = (): Promise<string> =>
      page.evaluate(
        '(document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "").trim()',
      );
    const tabTo = async (name: string | RegExp): Promise<void> => {
      for (let presses = 0; presses < 60; presses++) {
        await page.keyboard.press('Tab');
        const text = await focused();
        if (typeof name === 'string' ? text === name : name.test(text)) return;
      }
      throw new Error(`the keyboard does not reach ${name}`);
    };
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to content');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.evaluate('document.activeElement?.id')).toBe('main');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    expect(await focused()).toBe('Stuck sagas');
    await page.keyboard.press('Enter');
    // The heading of the view has the focus.
    await expect.poll(focused).toBe('Stuck sagas');
    await page.getByRole('link', { name: stuck }).waitFor();
    await tabTo(stuck);
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'A person is needed' }).waitFor();
    await tabTo(/^Resolve: /);
    const opener = await focused();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    // The focus is in the dialog, stays in it, and goes back at Escape.
    const isInside = () => page.evaluate('document.querySelector("[role=dialog]")?.contains(document.activeElement)');
    await expect.poll(isInside).toBe(true);
    for (let presses = 0; presses < 8; presses++) {
      await page.keyboard.press('Tab');
      await expect.poll(isInside).toBe(true);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(focused).toBe(opener);
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await dialog.getByLabel('Actor').waitFor();
    const tabToField = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 10; presses++) {
        if ((await page.evaluate('document.activeElement?.getAttribute("name")')) === name) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`the keyboard does not reach ${name}`);
    };
    await tabToField('actor');
    await page.keyboard.type('jane');
    await tabToField('reason');
    await page.keyboard.type('voided by hand, ticket 7');
    await page.keyboard.press('Enter');
    await dialog.getByText(/The saga is /).waitFor();
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await until(async () => (await statusOf(shown.worker, stuck)) !== 'PENDING');
    await page.locator('text.mark-label', { hasText: 'resolved' }).waitFor();
    await page.getByText('Complete: nothing more will come.').waitFor();
    expect(console.faults).toEqual([]);
  });
});
