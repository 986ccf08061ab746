import { existsSync } from 'node:fs';

/** Who may import whom. Each rule names its reason; ARCHITECTURE.md tells the whole of it. */

/** Files and folders that compute and nothing else: time, chance and I/O come in as arguments. */
const PURE = [
  'client-agent/src/tunnel/machine.ts',
  'client-agent/src/tunnel/problems.ts',
  'extension/src/completion/engine',
  'extension/src/connection/standing.ts',
  'extension/src/models/ready-text.ts',
  'extension/src/models/status-text.ts',
  'server-bridge/src/backends/canary.ts',
  'server-bridge/src/backends/chunks.ts',
  'server-bridge/src/backends/engines',
  'server-bridge/src/backends/figures.ts',
  'server-bridge/src/gpu/heat.ts',
  'server-bridge/src/gpu/nvidia-csv.ts',
  'server-bridge/src/gpu/pci-address.ts',
  'server-bridge/src/gpu/reading.ts',
  'server-bridge/src/gpu/shown.ts',
  'server-bridge/src/lifecycle/swap.ts',
  'server-bridge/src/lifecycle/swap-words.ts',
  'server-bridge/src/lifecycle/plan-swap.ts',
  'server-bridge/src/models',
  'server-bridge/src/routing',
].map((path) => {
  // A rule about a path that has moved would hold nothing and say nothing.
  if (!existsSync(path)) throw new Error(`.dependency-cruiser.mjs names ${path}, which does not exist`);
  return `^${path}`;
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'protocol-is-the-bottom',
      comment: 'Three programs load the schemas, one of them inside an editor: they depend on zod alone.',
      severity: 'error',
      from: { path: '^server-bridge/protocol/' },
      to: { pathNot: ['^server-bridge/protocol/', '^node_modules/zod/'] },
    },
    {
      name: 'parts-meet-on-the-wire',
      comment: 'A part that imports another could not be installed, updated or reasoned about alone.',
      severity: 'error',
      from: { path: '^(extension|client-agent|server-bridge)/', pathNot: '^server-bridge/protocol/' },
      to: { path: '^(extension|client-agent|server-bridge)/', pathNot: ['^$1/', '^server-bridge/protocol/'] },
    },
    {
      name: 'wrapper-stands-alone',
      comment:
        'wireguard-tools-wrapper is a package of its own: root runs it, so it must be small enough to audit.',
      severity: 'error',
      from: { path: '^client-agent/wireguard-tools-wrapper/' },
      to: {
        pathNot: ['^client-agent/wireguard-tools-wrapper/', '^node_modules/zod/', '^node:'],
        dependencyTypesNot: ['core'],
      },
    },
    {
      name: 'engine-is-a-process',
      comment:
        'llama.cpp can take its process down with it: the bridge talks to it over HTTP and never loads it.',
      severity: 'error',
      from: { path: '^server-bridge/(src|quickstart)/' },
      to: {
        path: '^(server-bridge/engine-llama/|node_modules/node-llama-cpp/)',
        // The lines that the process prints, as a schema.
        pathNot: '^server-bridge/engine-llama/src/events.ts$',
      },
    },
    {
      name: 'pure-stays-pure',
      comment: 'The core is tested by the thousand and simulated with a seed: no vscode, no I/O, no clock.',
      severity: 'error',
      from: { path: PURE },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-knows-no-editor',
      comment: 'The core runs outside VS Code: in tests, in the replay command, in a benchmark.',
      severity: 'error',
      from: { path: PURE },
      to: { path: '^vscode$|^node_modules/(?!zod/|@hearth/)' },
    },
    {
      name: 'source-knows-no-test',
      comment: 'What ships must not carry what only tests need.',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-circles',
      comment: 'Two files that need each other are one file, or three.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that does not resolve fails on the machine of whoever installs it.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^vscode$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^extension/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
