/** Loads `hearth.yaml`: finds it, parses it, and says of every mistake where it is and what was probably meant. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { bridgeConfig, type BridgeConfig } from '@hearth/protocol';
import { closest, distance } from 'fastest-levenshtein';
import { parseDocument } from 'yaml';
import type { z } from 'zod';

/** The configuration with its paths made absolute, and where it came from. */
export interface LoadedConfig {
  config: BridgeConfig;
  /** The file, or null for the embedded default. */
  file: string | null;
}

/** The configuration can't be used; `problems` are lines for a person, each with its place. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(source: string, problems: string[]) {
    super(`${source} is not a valid configuration:\n${problems.map((line) => `  ${line}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const SEARCHED = ['./hearth.yaml', '/etc/hearth/hearth.yaml'];

/**
 * Reads the named file, or the first of the usual places, or falls back to the embedded default. Relative paths
 * inside a file are relative to that file. Throws ConfigError.
 */
export function loadConfig(
  file: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): LoadedConfig {
  if (file !== undefined) return { config: readConfig(file), file };
  for (const place of SEARCHED) {
    try {
      return { config: readConfig(place), file: place };
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return { config: embeddedDefault(environment), file: null };
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof ConfigError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
  );
}

function readConfig(file: string): BridgeConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const problem = new ConfigError(file, [`it can't be read: ${(error as Error).message}`]);
    problem.cause = error;
    throw problem;
  }
  return parseConfig(text, file);
}

/** Parses the text of a configuration file; `file` names it in messages and anchors relative paths. */
export function parseConfig(text: string, file: string): BridgeConfig {
  const parsed = bridgeConfig.safeParse(readYaml(text, file) ?? {});
  if (!parsed.success) throw new ConfigError(file, parsed.error.issues.flatMap(describeIssue));
  return anchored(parsed.data, dirname(resolve(file)));
}

function readYaml(text: string, file: string): unknown {
  const document = parseDocument(text);
  const problems = document.errors.map((error) => error.message.trimEnd());
  if (problems.length > 0) throw new ConfigError(file, problems);
  try {
    return document.toJS();
  } catch (error) {
    // An alias that points nowhere, or one too many.
    throw new ConfigError(file, [(error as Error).message]);
  }
}

function anchored(config: BridgeConfig, folder: string): BridgeConfig {
  return {
    ...config,
    state_dir: resolve(folder, config.state_dir),
    backends: config.backends.map((backend) =>
      backend.engine === 'embedded' && backend.model !== undefined && isPath(backend.model)
        ? { ...backend, model: resolve(folder, backend.model) }
        : backend,
    ),
  };
}

/** An embedded model is a path if it looks like one; everything else is a name from the engine's catalogue. */
function isPath(model: string): boolean {
  return model.includes('/') || model.includes('\\') || model.endsWith('.gguf');
}

/** The configuration for one machine and no file: loopback, one embedded engine, no keys. */
export function embeddedDefault(environment: NodeJS.ProcessEnv): BridgeConfig {
  const state = environment.XDG_STATE_HOME ?? join(homedir(), '.local', 'state');
  return bridgeConfig.parse({
    state_dir: join(state, 'hearth', 'bridge'),
    auth: { mode: 'none' },
    backends: [{ id: 'embedded', engine: 'embedded' }],
    models: [{ id: 'coder', title: 'Embedded coder', backends: ['embedded'] }],
    defaults: { completion: 'coder', chat: 'coder' },
  });
}

type Issue = z.core.$ZodIssue;

function describeIssue(issue: Issue): string[] {
  const place = issue.path.length > 0 ? formatPath(issue.path) : 'top level';
  if (issue.code !== 'unrecognized_keys') return [`${place}: ${issue.message}`];
  return issue.keys.map((key) => {
    const known = knownKeys(issue.path);
    const near = known.length > 0 ? closest(key, known) : undefined;
    const hint =
      near !== undefined && distance(key, near) <= Math.max(2, key.length / 2)
        ? `; did you mean "${near}"?`
        : '';
    return `${formatPath([...issue.path, key])}: unknown key "${key}"${hint}${known.length > 0 ? ` (known here: ${known.join(', ')})` : ''}`;
  });
}

function formatPath(path: PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );
}

/** Keys that the schema has at a path, read off the schema itself so that they can't differ from it. */
function knownKeys(path: PropertyKey[]): string[] {
  let here: z.core.$ZodType | undefined = bridgeConfig;
  for (const part of path) {
    here = unwrap(here);
    if (here === undefined) return [];
    const { def } = here._zod as unknown as { def: SchemaDefinition };
    here = def.type === 'array' ? def.element : def.type === 'object' ? def.shape?.[String(part)] : undefined;
  }
  const definition = unwrap(here)?._zod.def as SchemaDefinition | undefined;
  return Object.keys(definition?.shape ?? {});
}

interface SchemaDefinition {
  type: string;
  shape?: Record<string, z.core.$ZodType>;
  element?: z.core.$ZodType;
  innerType?: z.core.$ZodType;
  in?: z.core.$ZodType;
}

/** Takes off defaults, optionals and transforms until an object, array or plain value is reached. */
function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let here = schema;
  for (;;) {
    const definition = here?._zod.def as SchemaDefinition | undefined;
    const inner = definition?.innerType ?? definition?.in;
    if (inner === undefined) return here;
    here = inner;
  }
}
