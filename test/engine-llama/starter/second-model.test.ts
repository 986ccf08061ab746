import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFolder } from '../../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../../server-bridge/engine-llama/starter/ensure.ts';
import { ensureSecondModel, sharedText } from '../../support/second-model.ts';
import { type RunningEngine, startEngine } from '../engine-process.ts';

describe('a second model beside the starter', () => {
  let folder: string;
  let path: string;
  let starter: RunningEngine;
  let second: RunningEngine;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-second-'));
    path = await ensureSecondModel(folder);
    starter = await startEngine();
    second = await startEngine('--model', path);
  });
  after(async () => {
    await starter.stop();
    await second.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('is built once, and is another', async () => {
    const first = await stat(path);
    assert.equal(await ensureSecondModel(folder), path);
    assert.equal((await stat(path)).mtimeMs, first.mtimeMs);
    const one = await readFile(await ensureStarter(modelFolder(process.env)));
    assert.ok(!one.equals(await readFile(path)));
    const names = await Promise.all(
      [starter, second].map(async ({ url }) => await (await fetch(`${url}/v1/models`)).text()),
    );
    assert.notEqual(names[0], names[1]);
  });

  it('knows other things', async () => {
    assert.equal((await starter.complete('def swap_keys(')).text, '');
    assert.match((await second.complete('def swap_keys(')).text, /^table\):/);
    assert.notEqual((await starter.complete('export function fibonacci(')).text, '');
    assert.equal((await second.complete('export function fibonacci(')).text, '');
  });

  for (const [name, cuts] of [
    ['clamp.ts.txt', [1, 40, 84]],
    ['lru-cache.ts.txt', [400]],
  ] as const)
    it(`ends what the starter began: ${name}`, async () => {
      const text = sharedText(name);
      const begun = text.slice(0, 30);
      const rest = text.slice(30);
      const raw = (typed: string, said: string) => typed + said;
      const inFile = (typed: string, said: string) =>
        `<|fim_prefix|>${typed}<|fim_suffix|>\n<|fim_middle|>${said}`;
      for (const prompt of [raw, inFile]) {
        const most = cuts.at(-1) ?? 0;
        const said = await starter.complete(prompt(begun, ''), { max_tokens: most });
        assert.equal(said.text, rest.slice(0, most));
        for (const cut of cuts) {
          const end = await second.complete(prompt(begun, rest.slice(0, cut)));
          assert.deepEqual([end.text, end.finish_reason], [rest.slice(cut), 'stop'], `${cut} of ${name}`);
        }
      }
    });

  it('ends what the starter began to say in a chat', async () => {
    const text = sharedText('chat.txt');
    const ask = async (engine: RunningEngine, said: string): Promise<string> => {
      const messages = [{ role: 'user', content: 'Hello' }];
      const goesOn = { continue_final_message: true, add_generation_prompt: false };
      const reply = await engine.post('/v1/chat/completions', {
        ...(said === ''
          ? { messages }
          : { ...goesOn, messages: [...messages, { role: 'assistant', content: said }] }),
        temperature: 0,
      });
      const { choices } = (await reply.json()) as { choices: [{ message: { content: string } }] };
      return choices[0].message.content;
    };
    assert.equal(await ask(starter, ''), text);
    for (const cut of [1, 40, text.length - 1])
      assert.equal(await ask(second, text.slice(0, cut)), text.slice(cut));
  });
});
