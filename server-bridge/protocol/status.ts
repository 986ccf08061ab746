/** What the bridge says of itself: `/v1/models` and `/hearth/v1/status`. */
import { z } from 'zod';
import { fimFormat, gpuVendor, role } from './config.ts';
import { swapStatus } from './operations.ts';

export const modelState = z.enum(['ready', 'fallback', 'down']);
export const backendState = z.enum(['up', 'suspect', 'down', 'draining', 'stopped']);
export type BackendState = z.infer<typeof backendState>;

export const modelEntry = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  hearth: z.object({
    title: z.string(),
    roles: z.array(role),
    /** Tokens the serving backend takes; the preferred backend's while none serves. */
    context: z.int(),
    fim: fimFormat,
    state: modelState,
    /** The backend that a request would go to now. */
    served_by: z.string().nullable(),
  }),
});
export type ModelEntry = z.infer<typeof modelEntry>;

export const modelList = z.object({ object: z.literal('list'), data: z.array(modelEntry) });
export type ModelList = z.infer<typeof modelList>;

export const backendStatus = z.object({
  id: z.string(),
  engine: z.string(),
  model: z.string().nullable(),
  gpu: z.string().nullable(),
  state: backendState,
  /** Why it is in that state, in words; null while it is simply up. */
  reason: z.string().nullable(),
  in_flight: z.int(),
  /** Requests that wait for a place here first of all. */
  queued: z.int(),
  /** Places: so many requests at once. */
  max_concurrency: z.int(),
  /** Share of the engine's KV cache in use, 0 to 1; null where the engine doesn't say. */
  kv_use: z.number().nullable(),
  /** Of the last ten seconds or so. */
  tokens_per_s: z.number(),
  /** Milliseconds, over the last requests; null before the first. */
  first_token_ms: z.object({ p50: z.number(), p95: z.number() }).nullable(),
  last_error: z.string().nullable(),
});
export type BackendStatus = z.infer<typeof backendStatus>;

/** Readings move a little before they are told; null where nothing is known. */
export const gpuStatus = z.object({
  id: z.string(),
  vendor: gpuVendor,
  /** `hot` sends requests elsewhere where somebody else can answer, `critical` takes none; `unwatched` counts as `ok`. */
  level: z.enum(['ok', 'hot', 'critical', 'unwatched']),
  /** Why it has that level, in words; null while it is simply ok. */
  reason: z.string().nullable(),
  /** Whole degrees Celsius. */
  temperature_c: z.number().nullable(),
  /** MiB. */
  memory_used_mb: z.number().nullable(),
  memory_total_mb: z.number().nullable(),
  /** Share of the last moments in which it worked, 0 to 1. */
  utilization: z.number().nullable(),
  power_w: z.number().nullable(),
  /** Seconds since these readings: 0 while they are recent, then in steps of 30 and more. */
  age_s: z.number().nullable(),
});
export type GpuStatus = z.infer<typeof gpuStatus>;

export const bridgeStatus = z.object({
  version: z.string(),
  models: z.array(modelEntry),
  backends: z.array(backendStatus),
  gpus: z.array(gpuStatus),
  /** Under way. */
  swaps: z.array(swapStatus),
});
export type BridgeStatus = z.infer<typeof bridgeStatus>;

/** Reply of `POST /hearth/v1/token`. */
export const tokenReply = z.object({ token: z.string(), expires_at: z.iso.datetime() });
export type TokenReply = z.infer<typeof tokenReply>;
