#!/usr/bin/env -S node --max-semi-space-size=4 --heap-growing-percent=30
/** `hearth-bridge`: the command line of the gateway. */
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';

enableCompileCache(join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hearth', 'node'));
const { runCli } = await import('./cli/program.ts');

process.exitCode = await runCli(process.argv);
