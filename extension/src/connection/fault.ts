/** What went wrong on the way to an answer: a code to find words by, and English for the log. */

/**
 * `code`: one of the contract's, sent by bridge or agent, or one of the extension's own: `timeout` and `network` (the
 * message says what the system said) and `not_a_bridge` for the bridge, `nowhere` for no bridge to call, and for the
 * agent `agent_absent`, `agent_timeout`, `agent_unclear` (a reply that isn't understood) and `agent_failed`. A newer
 * bridge or agent may send one that isn't known here. `message` holds no key.
 */
export type Fault = { code: string; message: string };
