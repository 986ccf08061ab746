/** Backends and cards for the planner's tests, through the real schema, so that defaults are the real ones. */
import {
  backendConfig,
  gpuConfig,
  type BackendConfig,
  type GpuConfig,
} from '../../../server-bridge/protocol/index.ts';

export const card = (id: string, memory: number, more: object = {}): GpuConfig =>
  gpuConfig.parse({ id, vendor: 'nvidia', memory_gb: memory, ...more });

export const backend = (more: object): BackendConfig =>
  backendConfig.parse({ id: 'b', engine: 'vllm', url: 'http://127.0.0.1:8101', model: 'm', ...more });
