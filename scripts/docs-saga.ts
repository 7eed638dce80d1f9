/**
 * Writes docs/saga.md from the payment saga's table and the policies; with `--check`, only says whether it is fresh.
 */
import type { PaymentData } from '../src/domain/payment.ts';
import type { Result } from '../src/domain/saga/outcome.ts';
import { PAYMENT_SAGA } from '../src/domain/saga/payment-saga.ts';
import type { PaymentCommand, PaymentState } from '../src/domain/saga/payment-types.ts';
import { PAYMENT_COMMANDS, PAYMENT_STATES } from '../src/domain/saga/payment-types.ts';
import { SAGA_POLICIES } from '../src/domain/saga/policy.ts';
import { keepFresh } from './keep-fresh.ts';

type Spec = (typeof PAYMENT_SAGA.states)[PaymentState];
type PaymentRules = Spec['on'];
type PaymentRule = NonNullable<PaymentRules[keyof PaymentRules]>[number];

/** The kinds of payment that the table tells apart where it chooses commands. */
const KINDS: readonly (readonly [string, PaymentData])[] = [
  ['balance', kind('balance', false)],
  ['card', kind('credit_card', false)],
  ['card, captured', kind('credit_card', true)],
];

/** A payment of that kind, with nothing learnt yet; of the times and ids nothing is shown. */
function kind(method: 'balance' | 'credit_card', captured: boolean): PaymentData {
  return {
    paymentId: 'pay_',
    scope: { merchant: 'default', mode: 'live' },
    idempotencyKey: '',
    request: { wallet_id: '', service_id: '', amount: 1, currency: 'USD', method },
    amountCodes: false,
    provider: null,
    passedOver: [],
    rounds: 0,
    late: [],
    providerReference: null,
    captured,
    failure: null,
    refundedAmount: 0,
    refunds: {},
    authorizeNotAfterMs: 0,
    unknownSinceMs: null,
    attentionReason: null,
    createdAtMs: 0,
    updatedAtMs: 0,
    completedAtMs: null,
  };
}

function commandsText(spec: Spec): string {
  const variants = KINDS.map(([name, data]) => [name, spec.commands(data).map(code).join(', ')] as const);
  const texts = new Set(variants.map(([, commands]) => commands));
  if (texts.size === 1) return [...texts].join() || 'none';
  return variants.map(([name, commands]) => `${commands} (${name})`).join('; ');
}

/**
 * A guard by its name. One made of others on the spot has none: it is named by the guards that it calls, and one that it
 * was handed (`when`) is that of the rule below it, which is the same rule for the other method of payment.
 */
function guardText(rules: readonly PaymentRule[], index: number): string {
  const guard = rules[index]?.when;
  if (guard === undefined) return '';
  if (guard.name !== 'when' && guard.name !== '') return code(guard.name);
  const calls = [...guard.toString().matchAll(/(\w+)\??\.?\(context\)/g)].map(([, name]) => name ?? '');
  const names = calls.flatMap((name) => (name === 'when' ? [guardText(rules, index + 1)] : [code(name)]));
  return names.filter((name) => name !== '').join(' and ');
}

function ruleText(rule: PaymentRule, spec?: Spec): string {
  const sends = (rule.send ?? []).map((name) => `send ${code(name)}`);
  const counts = rule.count === undefined ? [] : [`count ${code(rule.count)}`];
  const wait = rule.afterMs === undefined ? [] : [`its commands wait ${code(rule.afterMs.name)}`];
  const facts = (rule.facts?.(kind('balance', false)) ?? []).map(({ type }) => `record ${code(type)}`);
  return [next(rule, spec), ...wait, ...facts, ...sends, ...counts].join('; ');
}

function next(rule: PaymentRule, spec?: Spec): string {
  if (rule.again === true) return 'stay; again later';
  if (rule.to !== undefined) return `**${rule.to}**`;
  if (spec?.whenAllEnded === undefined) return 'stay';
  return 'stay, or go on if all have ended';
}

function stateText(state: PaymentState): string {
  const spec = PAYMENT_SAGA.states[state];
  const rows = ruleRows(spec.on, spec);
  const facts = (spec.facts?.(kind('balance', false)) ?? []).map(({ type }) => code(type));
  return [
    `### ${state}`,
    '',
    `${spec.says}${spec.terminal === true ? ' Terminal: never left.' : ''}`,
    '',
    `- Issues: ${commandsText(spec)}`,
    ...(facts.length > 0 ? [`- Records: ${facts.join(', ')}`] : []),
    ...(spec.whenAllEnded === undefined
      ? []
      : [
          `- When all its commands have ended: **${spec.whenAllEnded.done}** if all are done, else **${spec.whenAllEnded.otherwise}**`,
        ]),
    ...(rows.length > 0 ? ['', ...rows] : []),
    '',
  ].join('\n');
}

/** A table of rules; results that the same rules answer stand together. */
function ruleRows(on: PaymentRules, spec?: Spec): string[] {
  const groups = new Map<string, { results: string; rules: readonly PaymentRule[] }>();
  for (const [result, rules] of rulesOf(on)) {
    const text = rules.map((rule, index) => `${guardText(rules, index)} ${ruleText(rule, spec)}`).join('\n');
    const results = [groups.get(text)?.results, code(result)].filter((part) => part !== undefined).join(', ');
    groups.set(text, { results, rules });
  }
  const rows = [...groups.values()].flatMap(({ results, rules }) =>
    rules.map((rule, index) => `| ${results} | ${guardText(rules, index)} | ${ruleText(rule, spec)} |`),
  );
  return rows.length === 0 ? [] : ['| result | if | then |', '|---|---|---|', ...rows];
}

function rulesOf(on: PaymentRules): [`${PaymentCommand}:${Result}`, readonly PaymentRule[]][] {
  return Object.entries(on) as [`${PaymentCommand}:${Result}`, readonly PaymentRule[]][];
}

/** One arrow for each pair of states, with the results that lead along it. */
function diagram(): string {
  const lines = PAYMENT_STATES.flatMap((state) => {
    const spec = PAYMENT_SAGA.states[state];
    const results = new Map<string, Set<string>>();
    for (const [on, rules] of rulesOf(spec.on)) {
      for (const { to } of rules) if (to !== undefined) results.set(to, (results.get(to) ?? new Set()).add(on));
    }
    if (spec.whenAllEnded !== undefined) {
      results.set(spec.whenAllEnded.done, new Set(['all done']));
      results.set(spec.whenAllEnded.otherwise, new Set(['one is not done']));
    }
    const arrows = [...results].map(([to, on]) => `  ${state} --> ${to}: ${[...on].join(', ').replaceAll(':', ' ')}`);
    return spec.terminal === true ? [...arrows, `  ${state} --> [*]`] : arrows;
  });
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  [*] --> holding_funds: balance',
    '  [*] --> authorizing: card',
    ...lines,
    '```',
  ].join('\n');
}

function commandRow(name: PaymentCommand): string {
  const spec = PAYMENT_SAGA.commands[name];
  const other: PaymentData = {
    ...kind('balance', false),
    failure: { code: 'debit_failed', message: '' },
    late: [{ provider: null, reference: null, captured: true }],
  };
  const types = [...new Set([spec.type(kind('balance', false)), spec.type(other)])].map(code).join(', ');
  const how = spec.waitMs === undefined ? 'an effect' : 'a question, on a schedule; dropped when the saga moves on';
  return `| ${code(name)} | ${types} | ${how} | ${spec.giveUpAtMs === undefined ? 'never' : 'yes: `spent`'} |`;
}

function duration(ms: number): string {
  const [unit, size] = (
    [
      ['h', 3_600_000],
      ['min', 60_000],
      ['s', 1_000],
    ] as const
  ).find(([, candidate]) => ms >= candidate && ms % candidate === 0) ?? ['ms', 1];
  return `${ms / size} ${unit}`;
}

function policyRows(): string[] {
  const { live, sandbox } = SAGA_POLICIES;
  const row = (what: string, read: (policy: typeof live) => string): string =>
    `| ${what} | ${read(live)} | ${read(sandbox)} |`;
  return [
    row(
      'a command with no outcome is sent again after, growing to',
      ({ resend }) => `${duration(resend.firstMs)}, ${duration(resend.maxMs)}`,
    ),
    row('calls that authorize may begin for', (policy) => duration(policy.authorizeBudgetMs)),
    row('and can land for this long after: no absence proves anything before', (policy) =>
      duration(policy.absenceGraceMs),
    ),
    row('waits between look-ups; the last is repeated', (policy) => policy.lookupScheduleMs.map(duration).join(', ')),
    row('every provider was passed over: they are asked again after, growing to', ({ round }) =>
      [round.firstMs, round.maxMs].map(duration).join(', '),
    ),
    row('look-ups go on for (the late window)', (policy) => duration(policy.lateWindowMs)),
    row('a compensation, or a capture, is tried for', (policy) => duration(policy.compensationBudgetMs)),
  ];
}

function code(text: string): string {
  return `\`${text}\``;
}

keepFresh(
  'docs/saga.md',
  `<!-- Generated by scripts/docs-saga.ts from src/domain/saga/payment-saga.ts and policy.ts. Do not edit. -->
# The payment saga

One table over one engine: \`src/domain/saga/payment-saga.ts\` over \`src/domain/saga/engine.ts\`. A command is stored with the
transition that caused it, sent, and sent again until an outcome is known. An outcome is read as one of these results of its
command: **done**, it took effect · **refused**, it did not, for good · **pending**, the provider will say later ·
**unknown**, it may have taken effect · **not_sent**, it provably reached nobody · **absent**, a look-up found nothing ·
**spent**, given up. Unknown never reads as refused.

A result that neither the state nor *In every state* lists comes too late to change anything: it is recorded, and the state
stays. Of several rows for one result the first whose condition holds is taken. *Again later*: an effect after its backoff (or
when the other side has asked to be left alone until then), a question when its schedule says so.

${diagram()}

## States

${PAYMENT_STATES.map(stateText).join('\n')}
### In every state

Where the state has no rule of its own for the result:

${ruleRows(PAYMENT_SAGA.always).join('\n')}

And for a late result of an effect that a newer one of the same command has replaced, whatever the state says:

${ruleRows(PAYMENT_SAGA.superseded).join('\n')}

## Commands

| command | event | is | given up |
|---|---|---|---|
${PAYMENT_COMMANDS.map(commandRow).join('\n')}

## Times

| | live | sandbox |
|---|---|---|
${policyRows().join('\n')}
`,
);
