/** The plan for a person: each sum line by line, then the verdict, the command, and what else would fit. Pure. */
import type { BackendPlan, Planned } from './backend-plan.ts';
import { GIB, STORAGE_BYTES_PER_SECOND, USABLE_SHARE } from './assumptions.ts';
import { count, gb, gib, trimmed } from './format.ts';
import { quoted } from './launch.ts';
import type { CardPlan, ServerPlan } from './plan.ts';
import type { Row } from './room.ts';
import type { Swap } from './swap.ts';
import type { Term } from './term.ts';

/** How words stand out; on anything but a terminal they don't. */
export interface Style {
  good: (text: string) => string;
  bad: (text: string) => string;
  strong: (text: string) => string;
  faint: (text: string) => string;
}

const same = (text: string) => text;
export const PLAIN: Style = { good: same, bad: same, strong: same, faint: same };

/** Ends with a line end. */
export function planText(plan: ServerPlan, style: Style): string {
  const blocks = [
    ...plan.cards.map((card) => cardText(card, style)),
    ...plan.elsewhere.map((backend) => backendText(backend, style)),
    verdict(plan, style),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function verdict(plan: ServerPlan, style: Style): string {
  const all = [...plan.cards.flatMap((card) => card.backends), ...plan.elsewhere];
  const unknown = all.filter((one) => one.kind === 'unknown-model');
  if (!plan.ok) return style.bad('Something does not fit: see "no" above.');
  return unknown.length > 0
    ? style.strong(`What is known fits. Not known: ${unknown.map((one) => one.backend).join(', ')}.`)
    : style.good('Everything fits.');
}

function cardText(card: CardPlan, style: Style): string {
  const head = `${style.strong(card.id)}  ${card.vendor}, ${card.memory_gb} GB: ${trimmed(card.memory_gb)} x 1,073,741,824 bytes, of which ${trimmed(USABLE_SHARE * 100)} % = ${gib(card.usable)} to plan with`;
  if (card.backends.length === 0) return `${head}\n  nothing lives here`;
  const blocks = card.backends.map((backend) => backendText(backend, style));
  if (card.backends.length > 1) blocks.push(togetherText(card, style));
  // Models that fit together need none.
  if (card.together !== 'yes') blocks.push(swapsText(card.swaps));
  return [head, ...blocks.filter((block) => block !== '')].join('\n\n');
}

function backendText(plan: BackendPlan, style: Style): string {
  if (plan.kind !== 'planned') return `  ${style.strong(plan.backend)}  ${plan.model}\n    ${plan.advice}`;
  const said = plan.quantisation.stated ? '' : ' (assumed)';
  const lines = [
    `  ${style.strong(plan.backend)}  ${plan.engine}, ${plan.model.title} ${plan.quantisation.name}${said}, context ${count(plan.context)}, ${plan.concurrency} at once`,
    ...plan.terms.flatMap((term) => termLines(term, style)),
    `    need      ${gib(plan.need).padStart(11)}  ${fitWords(plan, style)}`,
    ...details(plan),
    ...plan.problems.map((problem) => `    ${style.bad('no')}: ${problem}`),
    ...plan.notes.map((note) => `    note: ${note}`),
    ...nearestLines(plan),
    ...launchLines(plan),
    ...tableLines(plan.alternatives, plan),
  ];
  return lines.join('\n');
}

function termLines(term: Term, style: Style): string[] {
  return [
    `    ${term.name.padEnd(10)}${gib(term.bytes).padStart(11)}  ${term.arithmetic}`,
    style.faint(`${' '.repeat(27)}from: ${term.source}`),
  ];
}

function fitWords(plan: Planned, style: Style): string {
  switch (plan.fits) {
    case 'no card':
      return 'in main memory or on a card that is not named';
    case 'yes':
      return `of ${gib(plan.usable ?? 0)}: ${style.good('fits')}, ${gib((plan.usable ?? 0) - plan.need)} free`;
    case 'no':
      return `of ${gib(plan.usable ?? 0)}: ${style.bad('no')}, ${gib(plan.need - (plan.usable ?? 0))} too much`;
  }
}

function details(plan: Planned): string[] {
  const lines = [];
  if (plan.offload !== null)
    lines.push(
      `    RAM       ${gib(plan.offload.ram_bytes).padStart(11)}  for the experts of ${plan.offload.layers} layers; each token reads some of them, so RAM's speed is the model's`,
    );
  if (plan.pool !== null)
    lines.push(
      `    pool      ${gib(plan.pool.bytes).padStart(11)}  of cache at ${trimmed(plan.pool.utilisation * 100)} % of the card: about ${count(plan.pool.tokens)} tokens, ${trimmed(plan.pool.full_requests)} requests of full length`,
    );
  const { load } = plan;
  lines.push(
    `    load      ${`${Math.ceil(load.seconds)} s`.padStart(11)}  ${gb(load.bytes)} / ${gb(STORAGE_BYTES_PER_SECOND)}/s (NVMe, assumed) = ${Math.ceil(load.read_seconds)} s, + ${load.warm_up_seconds} s of warm-up (assumed)`,
  );
  return lines;
}

function nearestLines(plan: Planned): string[] {
  if (plan.nearest === null) return [];
  const { context, concurrency, quantisation } = plan.nearest;
  const ways = [
    ...(context === undefined ? [] : [`context ${count(context)}`]),
    ...(concurrency === undefined ? [] : [`max_concurrency ${concurrency}`]),
    ...(quantisation === undefined ? [] : [`quantisation ${quantisation}`]),
  ];
  return [
    ways.length > 0
      ? `    would fit: ${ways.join(', or ')}`
      : '    no one change of context, concurrency or quantisation makes it fit; the table has two at a time',
  ];
}

function launchLines({ launch, engine }: Planned): string[] {
  if (engine === 'embedded') return ['    start: the bridge does that itself'];
  if (launch === null) return [];
  const environment = Object.entries(launch.environment).map(([name, value]) => `${name}=${quoted(value)} `);
  return [
    '    start:',
    ...[`${environment.join('')}${launch.command}`, ...launch.flags.map((flag) => `  ${flag}`)].map(
      (line, index, all) => `      ${line}${index < all.length - 1 ? ' \\' : ''}`,
    ),
    ...launch.files.flatMap((file) => [
      `    ${file.name}:`,
      ...file.text
        .trimEnd()
        .split('\n')
        .map((line) => `      ${line}`),
    ]),
    ...launch.optional.flatMap((one) => [`    or with: ${one.flags.join(' ')}`, `      ${one.why}`]),
  ];
}

/** GiB by quantisation and context; what is too large is in brackets. */
function tableLines(rows: Row[], plan: Planned): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  const head = first.cells.map((cell) => count(cell.context).padStart(10)).join('');
  return [
    `    GiB needed, ${plan.concurrency} at once${legend(rows)}`,
    `    ${'context'.padEnd(10)}${head}`,
    ...rows.map((row) => `    ${row.quantisation.padEnd(10)}${row.cells.map(cellText).join('')}`),
  ];
}

function legend(rows: Row[]): string {
  const cells = rows.flatMap((row) => row.cells);
  const large = cells.some((cell) => !cell.fits) ? '; (too large)' : '';
  return large + (cells.some((cell) => cell.cpuMoe > 0) ? '; +N: experts of N layers in RAM' : '');
}

function cellText(cell: Row['cells'][number]): string {
  const number = (cell.bytes / GIB).toFixed(1);
  return (cell.fits ? `${number}${cell.cpuMoe > 0 ? `+${cell.cpuMoe}` : ''}` : `(${number})`).padStart(10);
}

function togetherText(card: CardPlan, style: Style): string {
  const ids = card.backends.map((backend) => backend.backend).join(' + ');
  const sum = `${gib(card.sum)} of ${gib(card.usable)}`;
  switch (card.together) {
    case 'yes':
      return `  ${ids}: ${sum}: ${style.good('fit together')}`;
    case 'no':
      return `  ${ids}: ${sum}: ${style.bad('no')}, they do not fit together: run one at a time and swap`;
    case 'unknown':
      return `  ${ids}: ${sum} of what is known; with the rest it can't be told whether they fit together`;
  }
}

function swapsText(swaps: readonly Swap[]): string {
  if (swaps.length === 0) return '';
  return ['  a swap costs:', ...swaps.map((swap) => `    ${swapLine(swap)}`)].join('\n');
}

function swapLine(swap: Swap): string {
  const time = Math.ceil(swap.read_seconds + swap.warm_up_seconds);
  const cost = `${swap.from} -> ${swap.to}: ${gb(swap.bytes)} to read, ${Math.ceil(swap.read_seconds)} s + ${swap.warm_up_seconds} s = ${time} s`;
  if (swap.overlapped) return `${cost}; both fit, so ${swap.from} answers until ${swap.to} is ready`;
  const cover = swap.cover.map(({ model, by }) => `${model} by ${by.length > 0 ? by.join(', ') : 'nothing'}`);
  const meanwhile = cover.length > 0 ? `; meanwhile answered: ${cover.join(', ')}` : '';
  return `${cost}; not both at once, so neither answers for that long${meanwhile}`;
}
