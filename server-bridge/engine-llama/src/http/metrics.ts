/**
 * The engine's load in Prometheus' text format, under the names llama-server uses, and the process's start under the
 * one that Prometheus' own clients use. Pure.
 */
import type { Load } from '../generation/engine.ts';

/** `startedAt` is in seconds since 1970. */
export function renderMetrics(load: Load, startedAt: number): string {
  return [
    ...metric('llamacpp:requests_processing', 'gauge', 'Requests that hold a sequence.', load.processing),
    ...metric('llamacpp:requests_deferred', 'gauge', 'Requests that wait for a sequence.', load.deferred),
    ...metric('llamacpp:prompt_tokens_total', 'counter', 'Prompt tokens evaluated.', load.promptTokens),
    ...metric('llamacpp:tokens_predicted_total', 'counter', 'Tokens generated.', load.predictedTokens),
    ...metric('process_start_time_seconds', 'gauge', 'When the process started, in Unix time.', startedAt),
    '',
  ].join('\n');
}

function metric(name: string, type: 'gauge' | 'counter', help: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`];
}
