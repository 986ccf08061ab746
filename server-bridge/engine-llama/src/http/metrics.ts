/** The engine's load in Prometheus' text format, under the names llama-server uses. Pure. */
import type { Load } from '../generation/engine.ts';

export function renderMetrics(load: Load): string {
  return [
    ...metric('requests_processing', 'gauge', 'Requests that hold a sequence.', load.processing),
    ...metric('requests_deferred', 'gauge', 'Requests that wait for a sequence.', load.deferred),
    ...metric('prompt_tokens_total', 'counter', 'Prompt tokens evaluated.', load.promptTokens),
    ...metric('tokens_predicted_total', 'counter', 'Tokens generated.', load.predictedTokens),
    '',
  ].join('\n');
}

function metric(name: string, type: 'gauge' | 'counter', help: string, value: number): string[] {
  const full = `llamacpp:${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, `${full} ${value}`];
}
