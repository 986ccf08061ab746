/** The command line: names, options and help; usage errors end with 2 (CONTRACT 1). */
import { Command, CommanderError } from 'commander';
import type { AgentClient } from '../local-api/client.ts';
import { connect, disconnect, status } from './commands.ts';
import type { StatusOptions } from './commands.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { complain } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface ProgramPorts {
  version: string;
  terminal: Terminal;
  openClient: () => AgentClient;
  /** Runs the agent until it is told to end. */
  run: () => Promise<ExitCode>;
}

/** Parses the arguments (without node and script), does what they say, and gives the exit code. */
export async function runProgram(ports: ProgramPorts, args: readonly string[]): Promise<ExitCode> {
  const { terminal } = ports;
  let code: ExitCode = EXIT.done;
  const asked = async (work: (client: AgentClient) => Promise<ExitCode>) => {
    await using client = ports.openClient();
    code = await work(client);
  };

  const program = new Command('hearth-agent')
    .description('Keeps the tunnel from this computer to your Hearth server.')
    .version(ports.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    });
  program
    .command('run')
    .description('run the agent until SIGTERM or Ctrl-C; the other commands talk to it')
    .option('--no-tray', 'without an icon in the tray')
    .action(async (options: { tray: boolean }) => {
      if (options.tray) complain(terminal, 'this version has no tray icon yet; it runs without.');
      code = await ports.run();
    });
  program
    .command('connect')
    .description('bring the tunnel up, and wait until it is proven or the reason is known')
    .action(() => asked((client) => connect(client, terminal)));
  program
    .command('disconnect')
    .description('take the tunnel down')
    .action(() => asked((client) => disconnect(client, terminal)));
  program
    .command('status')
    .description('say how the tunnel stands')
    .option('--json', 'as one JSON document')
    .option('--watch', 'again after each change')
    .action((options: StatusOptions) => asked((client) => status(client, terminal, options)));

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
