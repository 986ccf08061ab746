/**
 * Who may talk to the local API: programs of this user that mean it. A web page can make a browser or a proxy send
 * requests, but not without an `Origin` or `Referer`, and not with this `Host` (CVE-2022-41924 was such an API).
 */
import type { IncomingHttpHeaders } from 'node:http';

export const LOCAL_HOST = 'hearth-agent';

/** Why a request is refused, or null. An empty header is a header too. */
export function refusal(headers: IncomingHttpHeaders): string | null {
  if (headers.origin !== undefined || headers.referer !== undefined)
    return 'The agent does not answer web pages.';
  if (headers.host !== LOCAL_HOST) return `The agent answers only to the host "${LOCAL_HOST}".`;
  return null;
}
