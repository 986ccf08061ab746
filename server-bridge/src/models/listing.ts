/** What people see of the models: their state, and who would answer right now. Pure. */
import type { ModelEntry } from '@hearth/protocol';
import { route, type RoutingTable } from '../routing/candidates.ts';

/** `created` in seconds since 1970. */
export function listModels(table: RoutingTable, created: number): ModelEntry[] {
  return table.models.map((model) => {
    const backends = table.backends.filter((backend) => model.backends.includes(backend.id));
    const roles = [...new Set(backends.flatMap((backend) => backend.config.serves))];
    const routes = roles.map((role) =>
      route(table, { model: model.id, role, fim: false, bytes: 0, answerTokens: 0 }),
    );
    const first = routes.flatMap((one) => (one.kind === 'route' ? one.candidates.slice(0, 1) : []))[0];
    const shown = first?.backend ?? backends.find((backend) => backend.id === model.backends[0]);
    return {
      id: model.id,
      object: 'model',
      created,
      owned_by: 'hearth',
      hearth: {
        title: model.title ?? model.id,
        roles,
        context: shown?.context ?? 0,
        fim: shown?.config.fim ?? 'none',
        state: first === undefined ? 'down' : first.fallback ? 'fallback' : 'ready',
        served_by: first?.backend.id ?? null,
      },
    };
  });
}
