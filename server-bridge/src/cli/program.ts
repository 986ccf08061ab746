/** The commands and their options; turns what went wrong into a message and an exit code. */
import { isIP } from 'node:net';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { duration } from '@hearth/protocol';
import { isScope } from '../access/key-store.ts';
import { SCOPES, type Scope } from '../access/principal.ts';
import { StateUnusable } from '../access/state-directory.ts';
import { ConfigError } from '../config.ts';
import { ControlSocketTaken } from '../control-socket.ts';
import { drainBackend, resumeBackend } from './backends.ts';
import { check } from './check.ts';
import { CommandFailed } from './failure.ts';
import { createKey, listKeys, revokeKey } from './keys.ts';
import { listModels, swapModel } from './models.ts';
import { plan } from './plan.ts';
import { serve } from './serve.ts';
import { VERSION } from '../version.ts';

/** 0 done, 1 the thing failed, 2 usage or config; 3, the bridge is not running, comes with the failure. */
const FAILED = 1;
const USAGE = 2;

export async function runCli(argv: string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync(argv);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    if (error instanceof ConfigError) {
      process.stderr.write(`hearth-bridge: ${error.message}\n`);
      return USAGE;
    }
    const isPlain = [CommandFailed, StateUnusable, ControlSocketTaken].some((kind) => error instanceof kind);
    const { message, stack } = error as Error;
    process.stderr.write(`hearth-bridge: ${isPlain ? message : (stack ?? String(error))}\n`);
    return error instanceof CommandFailed ? error.exitCode : FAILED;
  }
}

const config = () =>
  new Option('--config <file>', 'configuration; default ./hearth.yaml, then /etc/hearth/hearth.yaml');
const json = () => new Option('--json', 'print one JSON document and nothing else');

function buildProgram(): Command {
  const program = new Command('hearth-bridge')
    .description('OpenAI-compatible gateway to your own coding models, with fallback between your GPUs')
    .version(VERSION)
    .showHelpAfterError('(hearth-bridge --help shows the commands)')
    .exitOverride();
  program
    .command('serve')
    .description(
      'run the gateway until SIGTERM or Ctrl-C; with no configuration: one embedded engine on loopback',
    )
    .addOption(config())
    .addOption(
      new Option('--log-level <level>', 'how much to log')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .action(async (options: { config?: string; logLevel: string }) => serve(options));

  program
    .command('check')
    .description('validate the configuration and ask every backend for what it is to serve')
    .addOption(config())
    .addOption(json())
    .action(check);

  program
    .command('plan')
    .description('what fits on which card, with the arithmetic, and how to start each model server')
    .addOption(config())
    .addOption(json())
    .action(plan);

  const models = program.command('models').description('the models of a running bridge');
  models
    .command('list')
    .description('what each model is answered by at this moment')
    .addOption(config())
    .addOption(json())
    .action(listModels);
  models
    .command('swap')
    .description('have another backend answer for a model; no request is lost on the way')
    .argument('<model>')
    .requiredOption('--to <backend>', 'the backend that is to answer')
    .addOption(config())
    .addOption(json())
    .action(swapModel);

  const backends = program.command('backends').description('the backends of a running bridge');
  backends
    .command('drain')
    .description('send nothing new to a backend, and wait until nothing runs there')
    .argument('<id>')
    .option('--no-wait', 'do not wait for what runs there')
    .addOption(config())
    .addOption(json())
    .action(drainBackend);
  backends
    .command('resume')
    .description('undo a drain')
    .argument('<id>')
    .addOption(config())
    .addOption(json())
    .action(resumeBackend);

  const keys = program.command('keys').description('API keys');
  keys
    .command('create')
    .description('make a key; it is shown once and never stored')
    .requiredOption('--name <name>', 'whose it is', parseName)
    .option('--scope <scopes>', `comma-separated: ${SCOPES.join(', ')}`, parseScopes, ['inference'])
    .option('--expires <duration>', 'for how long it holds, such as 90d', parseDuration)
    .option('--bind-ip <address>', 'the only address that may use it', parseAddress)
    .addOption(config())
    .addOption(json())
    .action(createKey);
  keys
    .command('list')
    .description('all keys, without their secrets')
    .addOption(config())
    .addOption(json())
    .action(listKeys);
  keys
    .command('revoke')
    .description('end a key; it holds from the next request on')
    .argument('<id>')
    .addOption(config())
    .addOption(json())
    .action(revokeKey);
  return program;
}

function parseScopes(text: string): Scope[] {
  const scopes = text.split(',').map((part) => part.trim());
  const wrong = scopes.find((scope) => !isScope(scope));
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is not one of ${SCOPES.join(', ')}.`);
  return scopes as Scope[];
}

/** A hundred years: beyond it a date is no date. */
const LONGEST_MS = 36_525 * 86_400_000;

function parseDuration(text: string): number {
  const parsed = duration.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError('Such as 12h or 90d.');
  if (parsed.data > LONGEST_MS) throw new InvalidArgumentError('A hundred years (36525d) at the most.');
  return parsed.data;
}

function parseName(text: string): string {
  // Names are printed to terminals: a control character there could do more than name.
  if (/^[^\p{C}]{1,64}$/u.test(text)) return text;
  throw new InvalidArgumentError('1 to 64 characters, none of them a control character.');
}

function parseAddress(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new InvalidArgumentError('An IPv4 or IPv6 address.');
}
