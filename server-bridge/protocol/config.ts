/** The schema of `hearth.yaml`. Strict: an unknown key is an error. Durations become milliseconds. */
import { z } from 'zod';
import { duration, timerDuration } from './duration.ts';

/** Milliseconds. */
const TIMEOUTS = { connect: 500, first_token: 8_000, stall: 4_000 };
const EMBEDDED_TIMEOUTS = { connect: 500, first_token: 120_000, stall: 30_000 };

const id = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, 'an id is letters, digits, ".", "_" and "-"');
/** How backends, models and GPUs may be named. */
export { id as configId };

const port = z.int().min(0).max(65_535);
const address = (host: string, number: number) =>
  z.strictObject({ host: z.string().default(host), port: port.default(number) }).prefault({});

export const role = z.enum(['completion', 'chat', 'embedding', 'rerank']);
export type Role = z.infer<typeof role>;

export const fimFormat = z.enum(['qwen', 'codellama', 'deepseek', 'starcoder', 'codestral', 'none']);
export type FimFormat = z.infer<typeof fimFormat>;

export const gpuVendor = z.enum(['nvidia', 'amd']);

/**
 * °C at which a card sheds load, and at which it takes nothing. NVIDIA's is the core's temperature; AMD's is the hottest
 * spot's (junction), where 90 °C is nothing unusual and throttling begins near 110 °C.
 */
const HEAT_LIMITS = { nvidia: { hot_c: 85, critical_c: 92 }, amd: { hot_c: 100, critical_c: 108 } };

export const gpuConfig = z
  .strictObject({
    id,
    vendor: gpuVendor,
    uuid: z.string().optional(),
    pci: z.string().optional(),
    memory_gb: z.number().positive(),
    limits: z.strictObject({ hot_c: z.number().optional(), critical_c: z.number().optional() }).prefault({}),
  })
  .transform((gpu) => ({ ...gpu, limits: { ...HEAT_LIMITS[gpu.vendor], ...gpu.limits } }))
  .superRefine(({ limits: { hot_c: hot, critical_c: critical } }, context) => {
    if (critical <= hot)
      context.addIssue({
        code: 'custom',
        path: ['limits', 'critical_c'],
        message: `critical_c (${critical}) has to be above hot_c (${hot})`,
      });
  });
export type GpuConfig = z.infer<typeof gpuConfig>;

/** The program and its arguments, one an item: no shell reads it. */
const command = z
  .array(z.string().refine((part) => !part.includes('\0'), 'a command can hold no NUL'))
  .min(1, 'the program is missing')
  .refine(([program]) => program !== '', 'the program is missing');

// Both names become arguments of a program: with a dash in front they would be options.
const unit = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$/, 'this is not the name of a systemd unit');
const container = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'this is not the name of a container');

/** Who starts and stops the backend's server. */
const runnerConfig = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('process'), command }),
  z.strictObject({ kind: z.literal('systemd'), unit }),
  z.strictObject({ kind: z.literal('docker'), container }),
]);
export type RunnerConfig = z.infer<typeof runnerConfig>;

export const backendConfig = z
  .strictObject({
    id,
    engine: z.enum(['vllm', 'llamacpp', 'trtllm', 'openai', 'embedded']),
    url: z.url({ protocol: /^https?$/ }).optional(),
    /** The name the backend knows. For `embedded`: a known name or a path to a GGUF; absent, the best one at hand. */
    model: z.string().min(1).optional(),
    gpu: id.optional(),
    serves: z.array(role).min(1).default(['completion', 'chat']),
    /** Absent: `qwen` for the embedded engine, `none` for others, since a wrong format is worse than none. */
    fim: fimFormat.optional(),
    /** Tokens. */
    context: z.int().positive().default(8_192),
    max_concurrency: z.int().positive().default(4),
    /** Absent, each has its default: for an embedded engine, which may have to read a long prompt on a CPU, a long one. */
    timeouts: z
      .strictObject({
        connect: timerDuration.optional(),
        first_token: timerDuration.optional(),
        stall: timerDuration.optional(),
      })
      .prefault({}),
    runner: runnerConfig.prefault({ kind: 'none' }),
  })
  .superRefine((backend, context) => {
    if (backend.engine !== 'embedded' && backend.url === undefined)
      context.addIssue({
        code: 'custom',
        path: ['url'],
        message: `engine ${backend.engine} needs the url of its server`,
      });
    if (backend.engine !== 'embedded' && backend.model === undefined)
      context.addIssue({
        code: 'custom',
        path: ['model'],
        message: 'the name the backend knows its model by is needed',
      });
    if (backend.engine === 'embedded' && backend.runner.kind !== 'none')
      context.addIssue({
        code: 'custom',
        path: ['runner'],
        message: 'the bridge runs an embedded engine by itself: leave the runner out',
      });
  })
  .transform((backend) => ({
    ...backend,
    fim: backend.fim ?? (backend.engine === 'embedded' ? ('qwen' as const) : ('none' as const)),
    timeouts: { ...(backend.engine === 'embedded' ? EMBEDDED_TIMEOUTS : TIMEOUTS), ...backend.timeouts },
  }));
export type BackendConfig = z.infer<typeof backendConfig>;

export const modelConfig = z.strictObject({
  id,
  title: z.string().optional(),
  /** In order of preference; the later ones are the fallback. */
  backends: z.array(id).min(1),
});
export type ModelConfig = z.infer<typeof modelConfig>;

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const known = (what: string, ids: string[]) =>
  ids.length > 0 ? `${what}: ${ids.join(', ')}` : `there are no ${what}`;

export const bridgeConfig = z
  .strictObject({
    listen: z
      .strictObject({
        api: address('127.0.0.1', 8_000),
        enrol: z.strictObject({ host: z.string(), port }).optional(),
        metrics: address('127.0.0.1', 9_464),
      })
      .prefault({}),
    state_dir: z.string().default('./state'),
    auth: z
      .strictObject({ mode: z.enum(['keys', 'none']).default('keys'), jwt_ttl: duration.prefault('15m') })
      .prefault({}),
    gpus: z.array(gpuConfig).default([]),
    backends: z.array(backendConfig).min(1),
    models: z.array(modelConfig).min(1),
    defaults: z.strictObject({ completion: id.optional(), chat: id.optional() }).prefault({}),
    wireguard: z
      .strictObject({
        interface: z.string().max(15).default('hearth0'),
        endpoint: z.string(),
        listen_port: port.default(51_820),
        network: z.cidrv4().default('10.77.0.0/24'),
        bootstrap_network: z.cidrv4().default('10.77.255.0/24'),
        backend: z.enum(['auto', 'kernel', 'wireguard-go']).default('auto'),
      })
      .optional(),
    limits: z
      .strictObject({
        body_mb: z.number().positive().default(8),
        queue: z.int().nonnegative().default(512),
        rpm: z.int().nonnegative().default(0),
        tpm: z.int().nonnegative().default(0),
        concurrency: z.int().nonnegative().default(0),
      })
      .prefault({}),
    continue_on_failure: z.boolean().default(false),
  })
  .superRefine((config, context) => {
    const problem = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });

    const gpus = config.gpus.map((gpu) => gpu.id);
    const backends = config.backends.map((backend) => backend.id);
    const models = config.models.map((model) => model.id);
    for (const [section, ids] of Object.entries({ gpus, backends, models }))
      ids.forEach((one, index) => {
        if (ids.indexOf(one) !== index) problem([section, index, 'id'], `the id "${one}" is used twice`);
      });

    config.backends.forEach((backend, index) => {
      if (backend.gpu !== undefined && !gpus.includes(backend.gpu))
        problem(['backends', index, 'gpu'], `no gpu "${backend.gpu}" (${known('gpus', gpus)})`);
    });
    config.models.forEach((model, index) => {
      if (backends.includes(model.id))
        problem(
          ['models', index, 'id'],
          `"${model.id}" is a backend's id too; a request could not tell them apart`,
        );
      model.backends.forEach((backend, position) => {
        if (!backends.includes(backend))
          problem(
            ['models', index, 'backends', position],
            `no backend "${backend}" (${known('backends', backends)})`,
          );
      });
    });
    for (const use of ['completion', 'chat'] as const) {
      const model = config.defaults[use];
      if (model !== undefined && !models.includes(model))
        problem(['defaults', use], `no model "${model}" (${known('models', models)})`);
    }
    if (config.auth.mode === 'none' && !LOOPBACK.has(config.listen.api.host))
      problem(
        ['auth', 'mode'],
        `"none" is only for a loopback listen.api.host; ${config.listen.api.host} can be reached by others: use "keys"`,
      );
  });
export type BridgeConfig = z.infer<typeof bridgeConfig>;
