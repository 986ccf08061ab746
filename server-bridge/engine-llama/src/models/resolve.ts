/** From what the user named (a path, a known name, or nothing) to a GGUF on disk. */
import { existsSync } from 'node:fs';
import { ensureStarter } from '../../starter/ensure.ts';
import { CATALOGUE, DEFAULT_MODEL, type KnownModel, STARTER_NAME } from './catalogue.ts';
import { type DownloadOptions, download, downloaded } from './download.ts';

export interface ResolvedModel {
  readonly name: string;
  readonly path: string;
}

export type Resolution =
  { kind: 'resolved'; model: ResolvedModel; notice?: string } | { kind: 'failed'; message: string };

/** With nothing named, what can't be fetched is no fault: the starter stands in, and the notice says so. */
export async function resolveModel(
  wanted: string | undefined,
  options: DownloadOptions,
  standard: KnownModel = DEFAULT_MODEL,
): Promise<Resolution> {
  if (wanted === STARTER_NAME) return starter(options.folder);
  if (wanted !== undefined && existsSync(wanted)) return found(wanted, nameOf(wanted));
  const known = wanted === undefined ? standard : CATALOGUE.find((model) => model.name === wanted);
  if (known === undefined) return { kind: 'failed', message: unknownModel(wanted ?? '') };

  const there = await downloaded(known, options.folder);
  if (there !== undefined) return found(there, known.name);
  const outcome = await download(known, options);
  if (outcome.kind === 'there') return found(outcome.path, known.name);
  if (wanted === undefined) return { ...(await starter(options.folder)), notice: standinNotice(known) };
  return { kind: 'failed', message: `Couldn't fetch ${known.name} from ${outcome.message}` };
}

function found(path: string, name: string): Resolution {
  return { kind: 'resolved', model: { name, path } };
}

async function starter(folder: string): Promise<Resolution & { kind: 'resolved' }> {
  const path = await ensureStarter(folder);
  return { kind: 'resolved', model: { name: STARTER_NAME, path } };
}

function nameOf(path: string): string {
  return (path.split(/[/\\]/).at(-1) ?? path).replace(/\.gguf$/i, '');
}

function unknownModel(wanted: string): string {
  const names = [...CATALOGUE.map((model) => model.name), STARTER_NAME].join(', ');
  return `There is no model file ${wanted}, and no model known by that name; known are ${names}.`;
}

function standinNotice(known: KnownModel): string {
  return (
    `${known.name} couldn't be fetched from ${new URL(known.url).host}, so Hearth's small starter model stands in: ` +
    `start again where that host can be reached, or name a GGUF file as the model.`
  );
}
