import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationSection, withConfiguration } from '../../extension/build/manifest.ts';
import { parseSettings } from '../../extension/src/settings.ts';

const ROOT = new URL('../../', import.meta.url);
const manifest = readFileSync(new URL('package.json', ROOT), 'utf8');

describe('settings', () => {
  it('are in the manifest as the schema says (npm run manifest)', () => {
    assert.equal(withConfiguration(manifest), manifest);
  });

  it('are written anew when the manifest says otherwise', () => {
    assert.equal(withConfiguration(manifest.replaceAll('"default": 150', '"default": 151')), manifest);
  });

  it('that hold addresses are the user’s alone', () => {
    const { properties } = configurationSection() as { properties: Record<string, { scope: string }> };
    for (const name of ['hearth.bridgeUrl', 'hearth.agent.socket'])
      assert.equal(properties[name]?.scope, 'application', name);
  });

  it('have defaults, and a value that doesn’t fit counts as its default and is complained of', () => {
    const complaints: string[] = [];
    const values: Record<string, unknown> = {
      'completion.debounceMs': 'soon',
      'completion.model': null,
      bridgeUrl: ' http://10.77.0.1:8000 ',
    };
    const parsed = parseSettings(
      (name) => values[name],
      (problem) => complaints.push(problem),
    );
    assert.equal(parsed['completion.debounceMs'], 150);
    assert.equal(parsed['completion.model'], 'auto');
    assert.equal(parsed.bridgeUrl, 'http://10.77.0.1:8000');
    assert.equal(complaints.length, 1);
    assert.match(complaints[0] ?? '', /hearth\.completion\.debounceMs/);
  });

  it('are all used by the code', () => {
    const folder = fileURLToPath(new URL('extension/src', ROOT));
    const code = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'settings.ts')
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
      .join('\n');
    for (const name of Object.keys(configurationSection().properties)) {
      const key = name.replace('hearth.', '');
      assert.ok(code.includes(`['${key}']`) || code.includes(`.${key}`), name);
    }
  });

  it('and commands of the manifest are the commands of the code', () => {
    const listed = (JSON.parse(manifest) as { contributes: { commands: { command: string }[] } }).contributes
      .commands;
    const code = readFileSync(new URL('extension/src/commands.ts', ROOT), 'utf8');
    const registered = [...code.matchAll(/'(hearth\.\w+)': \(\) =>/g)].map((match) => match[1] ?? '');
    assert.deepEqual(listed.map(({ command }) => command).toSorted(), registered.toSorted());
  });
});
