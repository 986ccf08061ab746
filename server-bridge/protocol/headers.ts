/** Names of the headers that Hearth adds to OpenAI's protocol. */
export const HEADER = {
  requestId: 'x-request-id',
  backend: 'x-hearth-backend',
  /** Id of the GPU of the backend that answered, where the config names one. */
  gpu: 'x-hearth-gpu',
  model: 'x-hearth-model',
  fallback: 'x-hearth-fallback',
  attempts: 'x-hearth-attempts',
  queueMs: 'x-hearth-queue-ms',
  supersede: 'x-hearth-supersede',
  priority: 'x-hearth-priority',
} as const;
