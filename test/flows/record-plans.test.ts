/** The record's queries that would read a table whole if SQLite chose another way: how each finds its rows. */
import { expect, test } from 'vitest';
import type { Scope } from '../../src/domain/ids.ts';
import { readDossiers } from '../../src/read-model/archived-payments.ts';
import { plansOf } from '../support/query-plans.ts';

const SCOPE: Scope = { merchant: 'a', mode: 'sandbox' };

test('the archiver finds what was notified of a payment by the key of each notification', async () => {
  const plans = await plansOf((db) => readDossiers(db, SCOPE, ['pay_1'], new Map()));
  const notifications = plans.at(-1) ?? [];
  expect(notifications).toContain('SEARCH notifications USING PRIMARY KEY (id>? AND id<?)');
});
