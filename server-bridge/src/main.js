#!/usr/bin/env -S node --max-semi-space-size=4 --heap-growing-percent=10
/**
 * `hearth-bridge`: the command line of the gateway.
 *
 * JavaScript, so that Node's TypeScript compiler isn't loaded for this file alone: what it made of the others is kept in
 * the compile cache. That, and the heap's limits in the first line, halve the memory of a bridge that serves.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';

// A folder of the user's own: what is in there is run.
enableCompileCache(join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hearth', 'node'));
const { runCli } = await import('./cli/program.ts');
flushCompileCache();

process.exitCode = await runCli(process.argv);
