/**
 * Pure: one saga's table as a chapter of docs/saga.md: diagram, states with their rules, commands. Knows the shape of a table
 * (`src/domain/saga/table.ts`) and no saga. Called by docs-saga.ts, which brings example data of every kind that a table
 * tells apart.
 */
import type { CommandSpec, MoveRule, Rule, Rules, SagaTable, StateSpec } from '../src/domain/saga/table.ts';

export interface Chapter<State extends string, Data, Name extends string> {
  readonly title: string;
  readonly intro: string;
  readonly table: SagaTable<State, Data, Name>;
  /** In the order in which they are shown. */
  readonly states: readonly State[];
  readonly commands: readonly Name[];
  /** Where a saga begins, and which: '' where all begin there. */
  readonly starts: readonly (readonly [State, string])[];
  /** Data by the kinds that the table's choice of commands tells apart; the first also stands for all of them. */
  readonly kinds: readonly [readonly [string, Data], ...(readonly (readonly [string, Data])[])];
  /** Of a saga that has failed: facts are asked with it, and a command may be of another event type for it. */
  readonly failed: Data;
}

export function chapterText<State extends string, Data, Name extends string>(
  chapter: Chapter<State, Data, Name>,
): string {
  const { table } = chapter;
  const always = ruleRows(chapter, table.always);
  const superseded = ruleRows(chapter, table.superseded);
  return [
    `## ${chapter.title}`,
    '',
    chapter.intro,
    '',
    diagram(chapter),
    '',
    '### States',
    '',
    ...chapter.states.map((state) => stateText(chapter, state)),
    '#### In every state',
    '',
    'Where the state has no rule of its own for the result:',
    '',
    ...always,
    '',
    ...(superseded.length === 0
      ? []
      : [
          'And for a late result of an effect that a newer one of the same command has replaced, whatever the state says:',
          '',
          ...superseded,
          '',
        ]),
    '### When a person is needed',
    '',
    'In `needs_attention`, and where a late word says that something is amiss with a saga that has ended. What a move does, by',
    'the reason; where it leads to a state, what of that state is done stays done, and the rest is tried anew.',
    '',
    ...attentionRows(chapter),
    '',
    '### Commands',
    '',
    '| command | event | is | given up |',
    '|---|---|---|---|',
    ...chapter.commands.map((name) => commandRow(chapter, table.commands[name])),
  ].join('\n');
}

function commandsText<State extends string, Data, Name extends string>(
  { kinds }: Chapter<State, Data, Name>,
  spec: StateSpec<State, Data, Name>,
): string {
  const variants = kinds.map(([name, data]) => [name, spec.commands(data).map(code).join(', ')] as const);
  const texts = new Set(variants.map(([, commands]) => commands));
  if (texts.size === 1) return [...texts].join() || 'none';
  return variants.map(([name, commands]) => `${commands} (${name})`).join('; ');
}

/**
 * A guard by its name. One made of others on the spot has none: it is named by the guards that it calls, and one that it
 * was handed (`when`) is that of the rule below it, which is the same rule for the other method of payment.
 */
function guardText<State extends string, Data, Name extends string>(
  rules: readonly Rule<State, Data, Name>[],
  index: number,
): string {
  const guard = rules[index]?.when;
  if (guard === undefined) return '';
  if (guard.name !== 'when' && guard.name !== '') return code(guard.name);
  const calls = [...guard.toString().matchAll(/(\w+)\??\.?\(context\)/g)].map(([, name]) => name ?? '');
  const names = calls.flatMap((name) => (name === 'when' ? [guardText(rules, index + 1)] : [code(name)]));
  return names.filter((name) => name !== '').join(' and ');
}

function ruleText<State extends string, Data, Name extends string>(
  { kinds: [[, data]] }: Chapter<State, Data, Name>,
  rule: Rule<State, Data, Name>,
  spec?: StateSpec<State, Data, Name>,
): string {
  const sends = (rule.send ?? []).map((name) => `send ${code(name)}`);
  const counts = rule.count === undefined ? [] : [`count ${code(rule.count)}`];
  const wait = rule.afterMs === undefined ? [] : [`its commands wait ${code(rule.afterMs.name)}`];
  const facts = (rule.facts?.(data) ?? []).map(({ type }) => `record ${code(type)}`);
  return [next(rule, spec), ...wait, ...facts, ...sends, ...counts].join('; ');
}

function next<State extends string, Data, Name extends string>(
  rule: Rule<State, Data, Name>,
  spec?: StateSpec<State, Data, Name>,
): string {
  if (rule.again === true) return 'stay; again later';
  if (rule.to !== undefined) return `**${rule.to}**`;
  if (spec?.whenAllEnded === undefined) return 'stay';
  return 'stay, or go on if all have ended';
}

function stateText<State extends string, Data, Name extends string>(
  chapter: Chapter<State, Data, Name>,
  state: State,
): string {
  const spec = chapter.table.states[state];
  const rows = ruleRows(chapter, spec.on, spec);
  const facts = (spec.facts?.(chapter.failed) ?? []).map(({ type }) => code(type));
  const joined = spec.whenAllEnded;
  return [
    `#### ${state}`,
    '',
    [spec.says, ...terminalText(spec)].join(' '),
    '',
    `- Issues: ${commandsText(chapter, spec)}`,
    ...(facts.length > 0 ? [`- Records: ${facts.join(', ')}`] : []),
    ...(joined === undefined
      ? []
      : [`- When all its commands have ended: **${joined.done}** if all are done, else **${joined.otherwise}**`]),
    ...(rows.length > 0 ? ['', ...rows] : []),
    '',
  ].join('\n');
}

function terminalText<State extends string, Data, Name extends string>({
  terminal,
  mayTurnTo = [],
}: StateSpec<State, Data, Name>): string[] {
  if (terminal !== true) return [];
  if (mayTurnTo.length === 0) return ['Terminal: never left.'];
  return [`Terminal, and yet it may turn to ${mayTurnTo.map((to) => `**${to}**`).join(' or ')}, and to nothing else.`];
}

/** A table of rules; results that the same rules answer stand together. */
function ruleRows<State extends string, Data, Name extends string>(
  chapter: Chapter<State, Data, Name>,
  on: Rules<State, Data, Name>,
  spec?: StateSpec<State, Data, Name>,
): string[] {
  const groups = new Map<string, { results: string; rules: readonly Rule<State, Data, Name>[] }>();
  for (const [result, rules] of rulesOf(on)) {
    const text = rules.map((rule, index) => `${guardText(rules, index)} ${ruleText(chapter, rule, spec)}`).join('\n');
    const results = [groups.get(text)?.results, code(result)].filter((part) => part !== undefined).join(', ');
    groups.set(text, { results, rules });
  }
  const rows = [...groups.values()].flatMap(({ results, rules }) =>
    rules.map((rule, index) => `| ${results} | ${guardText(rules, index)} | ${ruleText(chapter, rule, spec)} |`),
  );
  return rows.length === 0 ? [] : ['| result | if | then |', '|---|---|---|', ...rows];
}

/** A row for every rule of every move. */
function attentionRows<State extends string, Data, Name extends string>(chapter: Chapter<State, Data, Name>): string[] {
  const rows = Object.entries(chapter.table.attention.moves).flatMap(([reason, { says, retry, resolve }]) => [
    `| ${code(reason)} | ${says} | | |`,
    ...moveRows(chapter, 'retry', retry),
    ...Object.entries(resolve).flatMap(([resolution, rules]) =>
      moveRows(chapter, `resolve ${code(resolution)}`, rules),
    ),
  ]);
  return ['| reason, move | says | if | then |', '|---|---|---|---|', ...rows];
}

function moveRows<State extends string, Data, Name extends string>(
  chapter: Chapter<State, Data, Name>,
  move: string,
  rules: readonly MoveRule<State, Data, Name>[],
): string[] {
  return rules.map((rule, index) => {
    const stated = (rule.stated ?? []).map((name) => `${code(name)} counts as done`);
    return `| · ${move} | | ${guardText(rules, index)} | ${[ruleText(chapter, rule), ...stated].join('; ')} |`;
  });
}

function rulesOf<State extends string, Data, Name extends string>(
  on: Rules<State, Data, Name>,
): [string, readonly Rule<State, Data, Name>[]][] {
  return Object.entries(on) as [string, readonly Rule<State, Data, Name>[]][];
}

/** One arrow for each pair of states, with the results that lead along it. */
function diagram<State extends string, Data, Name extends string>({
  table,
  states,
  starts,
}: Chapter<State, Data, Name>): string {
  const lines = states.flatMap((state) => {
    const spec = table.states[state];
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
  const begins = starts.map(([state, which]) => `  [*] --> ${state}${which === '' ? '' : `: ${which}`}`);
  return ['```mermaid', 'stateDiagram-v2', ...begins, ...lines, '```'].join('\n');
}

function commandRow<State extends string, Data, Name extends string>(
  { states, kinds: [[, data]], failed }: Chapter<State, Data, Name>,
  spec: CommandSpec<Data, Name>,
): string {
  const asked = states.flatMap((state) => [spec.type(data, state), spec.type(failed, state)]);
  const types = [...new Set(asked)].map(code).join(', ');
  return `| ${code(spec.name)} | ${types} | ${howText(spec)} | ${spec.giveUpAtMs === undefined ? 'never' : 'yes: `spent`'} |`;
}

function howText<Data, Name extends string>({ waitMs, isCall, retriable }: CommandSpec<Data, Name>): string {
  if (waitMs !== undefined) return 'a question, on a schedule; dropped when the saga moves on';
  const again = retriable === true ? '; a person may have it tried again' : '';
  return isCall === true ? 'an effect, by a direct call to another object' : `an effect${again}`;
}

export function code(text: string): string {
  return `\`${text}\``;
}
