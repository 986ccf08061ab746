/** `npm start`: everything on one machine with the embedded engine, checked before the user is told that it works. */
import { performance } from 'node:perf_hooks';
import { styleText } from 'node:util';
import type { EngineEvent } from '@hearth/engine-llama/events';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { buildBridge, type Bridge } from '../src/app.ts';
import { embeddedDefault } from '../src/config.ts';
import { VERSION } from '../src/version.ts';
import { prepareEditor } from './editor.ts';
import { checkChat, checkCompletion, type CheckResult } from './self-check.ts';
import { languageOf, WORDS } from './words.ts';

const words = WORDS[languageOf(process.env)];
const say = (line: string) => process.stdout.write(`${line}\n`);
const strong = (text: string) => styleText('bold', text, { stream: process.stdout });

const stop = new AbortController();
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
// npm doesn't pass a SIGTERM on and can't pass a SIGKILL on: whoever ends it means all of this.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) stop.abort();
}, 1_000).unref();

const options = new Command('npm start --')
  .description(words.about)
  .version(VERSION)
  .option('--port <number>', words.portOption, parsePort, 8_000)
  .parse()
  .opts<{ port: number }>();

process.exitCode = await quickstart();

async function quickstart(): Promise<number> {
  say(strong(words.starting));
  const config = embeddedDefault(process.env);
  config.listen.api.port = options.port;

  const engine = watchEngine();
  const bridge = await buildBridge({
    config,
    log: pino({ level: 'error' }, pino.destination(2)),
    version: VERSION,
    onEngineEvent: (_backend, event) => engine.hear(event),
    // Several may run at once, on ports of their own and with the state they have in common.
    controlSocket: false,
  });
  try {
    return await checked(bridge, config.listen.api.port, engine);
  } finally {
    engine.quiet();
    if (stop.signal.aborted) say(`\n${words.stopping}`);
    await bridge.close(0);
  }
}

async function checked(bridge: Bridge, port: number, engine: EngineWatch): Promise<number> {
  let url;
  try {
    url = await bridge.listen();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    process.stderr.write(`${words.portInUse(port)}\n`);
    return 1;
  }
  const outcome = await Promise.race([engine.settled, stopped()]);
  if (stop.signal.aborted) return 0;
  engine.quiet();
  if (outcome !== undefined) {
    process.stderr.write(`${words.engineFailed(outcome)}\n`);
    return 1;
  }
  say(words.listening(url));
  say(`\n${strong(words.checking)}`);
  const completion = await checkCompletion(url, stop.signal).catch(asFailure);
  const firstTokenAt =
    completion.kind === 'answered'
      ? performance.now() - completion.totalMs + completion.firstTokenMs
      : undefined;
  report(words.completion, completion);
  const chat = await checkChat(url, stop.signal).catch(asFailure);
  report(words.chat, chat);
  if (stop.signal.aborted) return 0;
  if (firstTokenAt !== undefined) say(`  ${words.sinceStart((firstTokenAt / 1_000).toFixed(1))}`);
  const works = [completion, chat].every((result) => result.kind === 'answered' && result.text !== '');

  say(`\n${words.packaging}`);
  const editor = await prepareEditor(process.env, stop.signal);
  if (stop.signal.aborted) return 0;
  say(strong(words.next));
  if (editor.kind === 'installed') say(`  ${words.installed}`);
  else if (editor.kind === 'made') say(`  ${words.installByHand(editor.file)}`);
  else say(`  ${words.notPackaged(editor.reason)}`);
  say(`  ${words.web}`);
  say(`  ${words.stop}`);
  await stopped();
  return works ? 0 : 1;
}

function report(what: string, result: CheckResult): void {
  if (result.kind === 'failed') {
    say(`  ${what}: ${words.failed(result.reason)}`);
    return;
  }
  say(`  ${what}: ${words.answered(result.backend, result.firstTokenMs, result.totalMs)}`);
  const shown = result.text === '' ? words.empty : result.text.trim();
  for (const line of shown.split('\n')) say(styleText('dim', `    ${line}`, { stream: process.stdout }));
}

interface EngineWatch {
  hear: (event: EngineEvent) => void;
  /** Ends the progress bar. */
  quiet: () => void;
  /** Undefined when the engine is ready, or why it will not be. */
  settled: Promise<string | undefined>;
}

/** Shows the engine's progress: a bar on a terminal, nothing elsewhere. */
function watchEngine(): EngineWatch {
  const { promise: settled, resolve } = Promise.withResolvers<string | undefined>();
  const bar = new cliProgress.SingleBar(
    {
      format: '  {phase} [{bar}] {percentage}%  {message}',
      hideCursor: true,
      clearOnComplete: true,
      noTTYOutput: false,
    },
    cliProgress.Presets.shades_classic,
  );
  return {
    settled,
    quiet: () => bar.stop(),
    hear: (event) => {
      if (event.event === 'ready') resolve(undefined);
      if (event.event === 'failed') resolve(event.message);
      if (event.event === 'notice') say(words.notice(event.message));
      if (event.event !== 'progress') return;
      const shown = { phase: event.phase, message: event.message ?? '' };
      if (bar.isActive) bar.update(event.fraction * 100, shown);
      else bar.start(100, event.fraction * 100, shown);
    },
  };
}

async function stopped(): Promise<undefined> {
  if (stop.signal.aborted) return undefined;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  stop.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  return await promise;
}

function asFailure(error: unknown): CheckResult {
  return { kind: 'failed', reason: (error as Error).message };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('0…65535');
  return port;
}
