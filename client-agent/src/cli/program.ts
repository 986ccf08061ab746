/** The command line: names, options and help; usage errors end with 2. */
import { Command, CommanderError } from 'commander';
import type { AgentClient } from '../local-api/client.ts';
import { connect, disconnect, status } from './commands.ts';
import type { Output } from './commands.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { complain } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface ProgramPorts {
  version: string;
  terminal: Terminal;
  openClient: () => AgentClient;
  /** Runs the agent until it is told to end. */
  run: (json: boolean) => Promise<ExitCode>;
}

/** Parses the arguments (without node and script), does what they say, and gives the exit code. */
export async function runProgram(ports: ProgramPorts, args: readonly string[]): Promise<ExitCode> {
  const { terminal } = ports;
  let code: ExitCode = EXIT.done;
  const asked = async (work: (client: AgentClient, output: Output) => Promise<ExitCode>) => {
    await using client = ports.openClient();
    code = await work(client, { ...terminal, json: isJson() });
  };

  const program = new Command('hearth-agent')
    .description('Keeps the tunnel from this computer to your Hearth server.')
    .version(ports.version)
    .option('--json', 'print the status as one JSON document, and nothing else on stdout')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    });
  const isJson = () => program.opts<{ json?: boolean }>().json ?? false;
  program
    .command('run')
    .description('run the agent until SIGTERM or Ctrl-C; the other commands talk to it')
    .option('--no-tray', 'without an icon in the tray')
    .action(async (options: { tray: boolean }) => {
      if (options.tray) complain(terminal, 'this version has no tray icon yet; it runs without.');
      code = await ports.run(isJson());
    });
  program
    .command('connect')
    .description('bring the tunnel up, and wait until it is proven or the reason is known')
    .action(() => asked(connect));
  program
    .command('disconnect')
    .description('take the tunnel down')
    .action(() => asked(disconnect));
  program
    .command('status')
    .description('say how the tunnel stands')
    .option('--watch', 'again after each change; with --json, one document a line')
    .action(({ watch = false }: { watch?: boolean }) =>
      asked((client, output) => status(client, output, watch)),
    );

  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // `--help` and `--version` come this way too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    // A refusal of the system, such as a folder that can't be made, says enough; anything else is a fault in here.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    complain(terminal, error.message);
    return EXIT.failed;
  }
}
