/**
 * Finds the commands of the documents: every fenced shell block, split into its commands, every indented or unlabelled block that begins with one, and
 * every command in running text. Decision records are left out: they are not instructions, and are never changed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DocCommand {
  /** Relative to the repository. */
  readonly file: string;
  readonly line: number;
  /** Whole: continued lines and quoted texts are joined as the shell would. */
  readonly text: string;
}

/** What a command begins with; anything else in an unlabelled block or in running text is no command. */
const BEGINS = /^(?:\w+=\S* )*(?:npm (?:ci|test|run|install|exec) ?|npx |curl |git |node |jq |docker )/;
const SHELLS = new Set(['sh', 'bash', 'console', 'shell', 'zsh']);

export function documents(root: string): string[] {
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((file) => join('docs', file))
    .filter((file) => file.endsWith('.md') && !file.startsWith(join('docs', 'decisions')));
  return ['README.md', ...inDocs.sort()];
}

export function commandsOf(root: string, file: string): DocCommand[] {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const found: DocCommand[] = [];
  let block: { readonly start: number; readonly language: string; readonly lines: string[] } | null = null;
  for (const [at, line] of lines.entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence !== null) {
      if (block === null) block = { start: at + 2, language: fence[1] ?? '', lines: [] };
      else {
        found.push(...inBlock(file, block));
        block = null;
      }
    } else if (block !== null) block.lines.push(line);
    else if (/^ {4}/.test(line) && BEGINS.test(line.trim())) found.push({ file, line: at + 1, text: line.trim() });
    else found.push(...inText(file, at + 1, line));
  }
  return found;
}

function inBlock(
  file: string,
  block: { readonly start: number; readonly language: string; readonly lines: readonly string[] },
): DocCommand[] {
  const commands = split(block.lines).map(({ at, text }) => ({ file, line: block.start + at, text }));
  if (SHELLS.has(block.language)) return commands;
  return block.language === '' && BEGINS.test(commands[0]?.text ?? '') ? commands : [];
}

function inText(file: string, line: number, text: string): DocCommand[] {
  const spans = [...text.matchAll(/`([^`]+)`/g)].map(([, span]) => span ?? '');
  return spans.filter((span) => BEGINS.test(`${span} `)).map((span) => ({ file, line, text: span }));
}

/** Commands of a block: without comments, with continued lines and open quotes joined. */
function split(lines: readonly string[]): { readonly at: number; readonly text: string }[] {
  const commands: { at: number; text: string }[] = [];
  let open: { at: number; text: string } | null = null;
  for (const [at, raw] of lines.entries()) {
    if (open === null && /^\s*(#|$)/.test(raw)) continue;
    const line: string = open === null ? withoutComment(raw.replace(/^\$ /, '')) : raw;
    open = open === null ? { at, text: line } : { at: open.at, text: `${open.text}\n${line}` };
    if (isOpen(open.text)) continue;
    commands.push({ at: open.at, text: open.text.replace(/\\\n\s*/g, ' ').trim() });
    open = null;
  }
  if (open !== null) commands.push(open);
  return commands;
}

function withoutComment(line: string): string {
  return line.includes('"') || line.includes("'") ? line : line.replace(/\s+#.*$/, '');
}

/** Whether the shell would wait for more: a line continued, or a quote or brace that is not closed. */
function isOpen(text: string): boolean {
  if (text.endsWith('\\')) return true;
  let quote: string | null = null;
  for (const [at, character] of [...text].entries()) {
    if (quote === null && (character === "'" || character === '"')) quote = character;
    else if (character === quote && !(quote === '"' && text[at - 1] === '\\')) quote = null;
  }
  if (quote !== null) return true;
  return /^\w+\(\) \{/.test(text) && !/\}$/.test(text);
}
