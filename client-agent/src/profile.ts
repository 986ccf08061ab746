/** Reads the profile file: only one that nobody else can read or could have put there; no message repeats its text. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { agentProfile, Secret } from '@hearth/protocol';
import type { AgentProfile, Problem } from '@hearth/protocol';

export type ProfileResult =
  { kind: 'none' } | { kind: 'refused'; problem: Problem } | { kind: 'loaded'; profile: AgentProfile };

/** Whether both say the same, secrets included. */
export function sameProfile(one: AgentProfile, other: AgentProfile): boolean {
  return isDeepStrictEqual(plain(one), plain(other));
}

/** Two secrets compare as equal whatever they hide, so their values are compared. */
const plain = (profile: AgentProfile): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(profile).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]),
  );

const OTHERS = 0o077;
/** A profile is under 1 KB; more is something else. */
const MOST_BYTES = 65_536;

export async function readProfile(path: string): Promise<ProfileResult> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return unopened(path, error);
  }
  await using opened = file;

  // Asked of the opened file, not of its name, which could be another file by then.
  const stat = await opened.stat();
  if (!stat.isFile() || stat.size > MOST_BYTES)
    return refused('profile_not_a_file', `${path} is not a regular file with a profile.`, `Replace ${path}.`);
  if (stat.uid !== process.getuid?.())
    return refused('profile_owner', `${path} belongs to another user.`, `chown "$(id -un)" ${path}`);
  if ((stat.mode & OTHERS) !== 0)
    return refused('profile_mode', `${path} can be read by others.`, `chmod 600 ${path}`);
  return parse(path, await opened.readFile('utf8'));
}

function unopened(path: string, error: unknown): ProfileResult {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return { kind: 'none' };
  if (code === 'ELOOP')
    return refused('profile_not_a_file', `${path} is a symbolic link.`, `Put the file itself at ${path}.`);
  return refused('profile_unreadable', `${path} cannot be read (${String(code)}).`, `chmod 600 ${path}`);
}

function parse(path: string, text: string): ProfileResult {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message would quote the text, and with it keys.
    return refused('profile_invalid', `${path} is not valid JSON.`, `Correct ${path}.`);
  }
  const result = agentProfile.safeParse(json);
  if (result.success) return { kind: 'loaded', profile: result.data };
  const issues = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`,
  );
  return refused('profile_invalid', `${path}: ${issues.join('; ')}.`, `Correct ${path}.`);
}

const refused = (code: string, message: string, fix: string): ProfileResult => ({
  kind: 'refused',
  problem: { code, message, fix },
});
