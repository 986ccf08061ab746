/** Writes `contributes.configuration` of the manifest from the settings' schema; `--check` only says whether it is current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { settings } from '../src/settings.ts';

const MANIFEST = new URL('../../package.json', import.meta.url);

/** The manifest's section, made from the schema. Its words stand in package.nls*.json under the same names. */
export function configurationSection(): { title: string; properties: Record<string, unknown> } {
  const properties = Object.entries(settings.shape).map(([name, schema], order) => {
    const { $schema: _, ...described } = z.toJSONSchema(schema, { io: 'input' });
    return [`hearth.${name}`, { ...described, order, markdownDescription: `%hearth.${name}%` }];
  });
  return { title: 'Hearth', properties: Object.fromEntries(properties) };
}

/** The manifest's text with its section replaced; unchanged when it is current. */
export function withConfiguration(manifest: string): string {
  const parsed = JSON.parse(manifest) as { contributes: Record<string, unknown> };
  parsed.contributes.configuration = configurationSection();
  return `${JSON.stringify(parsed, undefined, 2)}\n`;
}

if (import.meta.main) {
  const before = readFileSync(MANIFEST, 'utf8');
  const after = withConfiguration(before);
  if (process.argv.includes('--check')) {
    if (before !== after) {
      console.error('package.json is not what the settings schema gives: run "npm run manifest"');
      process.exitCode = 1;
    }
  } else if (before !== after) {
    writeFileSync(MANIFEST, after);
    console.log('package.json: contributes.configuration written');
  }
}
