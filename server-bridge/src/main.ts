#!/usr/bin/env node
/** `hearth-bridge`: the command line of the gateway. */
import { runCli } from './cli/program.ts';

process.exitCode = await runCli(process.argv);
