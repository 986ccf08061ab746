/** The one way out to a bridge: sends what Hearth says and nothing that the editor's environment adds. */

/**
 * A `fetch` for the openai SDK, which puts headers of its own on each request, and those of OPENAI_CUSTOM_HEADERS:
 * both are left away. Redirects aren't followed: code and key are for the address that was looked at.
 */
export function bridgeFetch(authorization: string | undefined): typeof fetch {
  return (input, init) =>
    fetch(input, {
      ...init,
      redirect: 'manual',
      headers: {
        accept: 'application/json, text/event-stream',
        ...(init?.body == null ? {} : { 'content-type': 'application/json' }),
        ...(authorization === undefined ? {} : { authorization }),
      },
    });
}
