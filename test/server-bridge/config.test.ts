import assert from 'node:assert/strict';
import { ConfigError, parseConfig } from '../../server-bridge/src/config.ts';

const GOOD = `
listen:
  api:     { host: 127.0.0.1, port: 8000 }
  enrol:   { host: 10.77.255.1, port: 8001 }
  metrics: { host: 127.0.0.1, port: 9464 }
state_dir: ./state
auth:
  mode: keys
  jwt_ttl: 15m
gpus:
  - { id: rtx6000,  vendor: nvidia, uuid: GPU-0000, memory_gb: 96, limits: { hot_c: 85, critical_c: 92 } }
  - { id: rx9070xt, vendor: amd, pci: "0000:0c:00.0", memory_gb: 16 }
backends:
  - id: coder-rtx
    engine: vllm
    url: http://127.0.0.1:8101
    model: Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8
    gpu: rtx6000
    serves: [completion, chat]
    fim: qwen
    context: 131072
    max_concurrency: 16
    timeouts: { connect: 500ms, first_token: 8s, stall: 4s }
    runner: { kind: none }
  - id: light-amd
    engine: embedded
    model: ./models/light.gguf
    gpu: rx9070xt
models:
  - id: coder
    title: Qwen3-Coder 30B
    backends: [coder-rtx, light-amd]
defaults: { completion: coder, chat: coder }
wireguard:
  interface: hearth0
  endpoint: vpn.example.org:51820
  listen_port: 51820
  network: 10.77.0.0/24
  bootstrap_network: 10.77.255.0/24
  backend: auto
limits: { body_mb: 8, queue: 512, rpm: 0, tpm: 0, concurrency: 0 }
continue_on_failure: false
`;

function problemsOf(text: string): string[] {
  try {
    parseConfig(text, '/etc/hearth/hearth.yaml');
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  throw new Error('the configuration was accepted');
}

describe('configuration', () => {
  it('takes the whole of the documented file, with durations in ms and paths beside the file', () => {
    const config = parseConfig(GOOD, '/etc/hearth/hearth.yaml');
    assert.equal(config.state_dir, '/etc/hearth/state');
    assert.equal(config.auth.jwt_ttl, 15 * 60_000);
    assert.deepEqual(config.backends[0]?.timeouts, { connect: 500, first_token: 8_000, stall: 4_000 });
    assert.equal(config.backends[1]?.model, '/etc/hearth/models/light.gguf');
    assert.equal(config.backends[1]?.fim, 'qwen');
    assert.equal(config.backends[1]?.timeouts.first_token, 120_000);
  });

  it('knows that a Radeon runs hotter, and takes each limit that is given', () => {
    const [nvidia, amd] = parseConfig(GOOD.replace(', limits: { hot_c: 85, critical_c: 92 }', ''), 'x').gpus;
    assert.deepEqual(nvidia?.limits, { hot_c: 85, critical_c: 92 });
    assert.deepEqual(amd?.limits, { hot_c: 100, critical_c: 108 });
    const given = parseConfig(GOOD.replace('hot_c: 85, critical_c: 92', 'hot_c: 70'), 'x').gpus;
    assert.deepEqual(given[0]?.limits, { hot_c: 70, critical_c: 92 });
  });

  for (const [title, from, to, expected] of [
    [
      'heat limits that leave nothing between hot and critical',
      'hot_c: 85, critical_c: 92',
      'hot_c: 95',
      /^gpus\[0\]\.limits\.critical_c: critical_c \(92\) has to be above hot_c \(95\)/,
    ],
    [
      'a misspelt key deep inside',
      'first_token: 8s',
      'frist_token: 8s',
      /^backends\[0\]\.timeouts\.frist_token: unknown key "frist_token"; did you mean "first_token"\?/,
    ],
    [
      'a misspelt key of a backend',
      '    max_concurrency',
      '    max_concurency',
      /^backends\[0\]\.max_concurency: .*did you mean "max_concurrency"\?/,
    ],
    [
      'a misspelt key at the top',
      'backends:\n',
      'backend:\n',
      /^backend: unknown key "backend"; did you mean "backends"\?/,
    ],
    [
      'a wrong duration',
      'jwt_ttl: 15m',
      'jwt_ttl: 15 minutes',
      /^auth\.jwt_ttl: a duration is a number with a unit/,
    ],
    [
      'a backend that is not there',
      '[coder-rtx, light-amd]',
      '[coder-rtx, light]',
      /^models\[0\]\.backends\[1\]: no backend "light" \(backends: coder-rtx, light-amd\)/,
    ],
    ['a gpu that is not there', 'gpu: rtx6000', 'gpu: rtx7000', /^backends\[0\]\.gpu: no gpu "rtx7000"/],
    [
      'a default that is not there',
      'completion: coder,',
      'completion: code,',
      /^defaults\.completion: no model "code"/,
    ],
    ['an id used twice', '- id: light-amd', '- id: coder-rtx', /the id "coder-rtx" is used twice/],
    [
      'a server without its url',
      '    url: http://127.0.0.1:8101\n',
      '',
      /^backends\[0\]\.url: engine vllm needs the url/,
    ],
    [
      'a runner for the engine that the bridge runs itself',
      '    model: ./models/light.gguf\n',
      '    runner: { kind: process, command: [llama-server] }\n',
      /^backends\[1\]\.runner: the bridge runs an embedded engine by itself/,
    ],
    [
      'a unit that would be an option',
      'runner: { kind: none }',
      'runner: { kind: systemd, unit: --force }',
      /^backends\[0\]\.runner\.unit: this is not the name of a systemd unit/,
    ],
    [
      'a time no timer can count',
      'first_token: 8s',
      'first_token: 999h',
      /^backends\[0\]\.timeouts\.first_token: at most 24d/,
    ],
    ['an alias that points nowhere', 'state_dir: ./state', 'state_dir: *nowhere', /nowhere/],
    ['what is not YAML', 'listen:', 'listen: [', /./],
  ] as const)
    it(`says where and what: ${title}`, () => {
      assert.ok(GOOD.includes(from));
      const problems = problemsOf(GOOD.replace(from, to));
      assert.ok(
        problems.some((line) => expected.test(line)),
        problems.join('\n'),
      );
    });

  it('refuses to run without keys where others can reach it', () => {
    const open = GOOD.replace('mode: keys', 'mode: none').replace(
      'host: 127.0.0.1, port: 8000',
      'host: 10.77.0.1, port: 8000',
    );
    assert.match(problemsOf(open).join('\n'), /^auth\.mode: "none" is only for a loopback/);
  });
});
