/** The command line of `hearth-engine-llama`, parsed into typed options. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Gpu } from './generation/load-model.ts';
import { CATALOGUE, STARTER_NAME } from './models/catalogue.ts';

export interface EngineOptions {
  readonly model?: string;
  readonly host: string;
  readonly port: number;
  readonly context: number;
  readonly parallel: number;
  readonly threads?: number;
  readonly gpu: Gpu;
  readonly alias?: string;
  readonly json?: true;
  readonly exitWithParent?: true;
}

/** Exits by itself, with 2, on wrong usage. */
export function parseCommandLine(argv: readonly string[]): EngineOptions {
  const names = [...CATALOGUE.map((model) => model.name), STARTER_NAME].join(', ');
  return new Command('hearth-engine-llama')
    .description('llama.cpp behind the OpenAI API, as a process of its own')
    .version('0.1.0')
    .option('--model <path|name>', `a GGUF file, or one of ${names} (default: the best at hand)`)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on, 0 for any', integer(0, 65_535), 0)
    .option('--context <tokens>', 'tokens a sequence holds, prompt and answer', integer(64, 1 << 24), 4096)
    .option('--parallel <n>', 'sequences at once; further requests wait', integer(1, 256), 4)
    .option('--threads <n>', 'processor threads (default: as many as help)', integer(1, 1024))
    .addOption(
      new Option('--gpu <kind>', 'where the model runs')
        .choices(['auto', 'off', 'vulkan', 'cuda', 'metal'])
        .default('auto'),
    )
    .option('--alias <name>', 'the model id it reports')
    .option('--json', 'tell progress and readiness as JSON lines on stdout')
    .option('--exit-with-parent', 'exit when stdin ends')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse([...argv])
    .opts<EngineOptions>();
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It has to be a whole number from ${least} to ${most}.`);
  };
}
