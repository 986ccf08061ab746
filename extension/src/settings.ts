/** Every setting of the extension, as one schema: what the editor gives is parsed here, and the manifest is made from it. */
import { z } from 'zod';

/** Who may change a setting. `application`: the user alone, so that a cloned folder can't redirect code or keys. */
type Scope = 'application' | 'window' | 'language-overridable';

const scoped = (scope: Scope) => ({ scope });

/** Keys are the settings' names without the leading `hearth.`. */
export const settings = z.object({
  bridgeUrl: z.string().trim().default('http://127.0.0.1:8000').meta(scoped('application')),
  'agent.socket': z.string().trim().default('').meta(scoped('application')),
  'completion.enabled': z.boolean().default(true).meta(scoped('language-overridable')),
  'completion.model': z.string().trim().min(1).default('auto').meta(scoped('window')),
  /** Milliseconds without a keystroke before a completion is asked for. */
  'completion.debounceMs': z.int().min(0).max(2_000).default(150).meta(scoped('window')),
  /** Tokens. */
  'completion.maxTokens': z.int().min(1).max(2_048).default(128).meta(scoped('window')),
});
export type Settings = z.infer<typeof settings>;

/**
 * Settings from what the editor holds (`read` gets a name without `hearth.`). A value that doesn't fit counts as its
 * default, and `complain` is told: one bad line in a settings file must not switch the extension off.
 */
export function parseSettings(
  read: (name: string) => unknown,
  complain: (problem: string) => void,
): Settings {
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(settings.shape)) {
    const parsed = schema.safeParse(read(name) ?? undefined);
    if (!parsed.success)
      complain(`hearth.${name}: ${z.prettifyError(parsed.error)}; its default is used instead`);
    values[name] = parsed.success ? parsed.data : schema.parse(undefined);
  }
  return settings.parse(values);
}
