import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Collector, type Chunk } from '../../server-bridge/src/backends/chunks.ts';

describe('collecting a stream into one reply', () => {
  it('gives the same text however it was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (pieces) => {
        const collector = new Collector('text_completion');
        for (const text of pieces)
          collector.add({
            id: 'c1',
            object: 'text_completion',
            choices: [{ index: 0, text, finish_reason: null }],
          });
        collector.add({ id: 'c1', choices: [{ index: 0, text: '', finish_reason: 'stop' }] });
        collector.add({ choices: [], usage: { total_tokens: 3 } });
        assert.deepEqual(collector.reply(), {
          id: 'c1',
          object: 'text_completion',
          choices: [{ index: 0, text: pieces.join(''), finish_reason: 'stop' }],
          usage: { total_tokens: 3 },
        });
      }),
    );
  });

  it('assembles a chat message with tool calls and thinking', () => {
    const deltas: Chunk[] = [
      {
        id: 'c',
        object: 'chat.completion.chunk',
        usage: null,
        choices: [{ index: 0, delta: { role: 'assistant', content: '' } }],
      },
      { choices: [{ index: 0, delta: { reasoning_content: 'I should ' } }] },
      { choices: [{ index: 0, delta: { reasoning_content: 'look.' } }] },
      {
        choices: [
          {
            index: 0,
            delta: {
              tool_calls: [
                {
                  index: 0,
                  id: 't1',
                  type: 'function',
                  function: { name: 'read', arguments: '{"a"' },
                },
              ],
            },
          },
        ],
      },
      { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] } }] },
      {
        choices: [
          {
            index: 0,
            delta: {
              tool_calls: [
                {
                  index: 1,
                  id: 't2',
                  type: 'function',
                  function: { name: 'list', arguments: '{}' },
                },
              ],
            },
          },
        ],
      },
      { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
    ];
    const collector = new Collector('chat.completion');
    for (const delta of deltas) collector.add(delta);
    assert.deepEqual(collector.reply(), {
      id: 'c',
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          finish_reason: 'tool_calls',
          message: {
            role: 'assistant',
            content: '',
            reasoning_content: 'I should look.',
            tool_calls: [
              { id: 't1', type: 'function', function: { name: 'read', arguments: '{"a":1}' } },
              { id: 't2', type: 'function', function: { name: 'list', arguments: '{}' } },
            ],
          },
        },
      ],
    });
  });
});
