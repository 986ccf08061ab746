/** Where a command's words go: results to stdout, diagnostics to stderr, colours only where a person reads. */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { AgentStatus, Problem } from '@hearth/protocol';

export interface Terminal {
  stdout: Writable;
  stderr: Writable;
}

type Style = Parameters<typeof styleText>[0];

/** `styleText` leaves the colours out when the stream is no terminal or NO_COLOR is set. */
const paint = (style: Style, text: string, stream: Writable) => styleText(style, text, { stream });

export function say(terminal: Terminal, text: string): void {
  terminal.stdout.write(`${text}\n`);
}

export function complain(terminal: Terminal, text: string): void {
  terminal.stderr.write(`${paint('red', 'hearth-agent:', terminal.stderr)} ${text}\n`);
}

export function explainProblem(terminal: Terminal, problem: Problem): void {
  complain(terminal, problem.message);
  terminal.stderr.write(`  What to do: ${problem.fix}\n`);
}

const COLOUR: Record<AgentStatus['state'], Style> = {
  unenrolled: 'gray',
  disconnected: 'gray',
  connecting: 'yellow',
  connected: 'green',
  degraded: 'yellow',
  reconnecting: 'yellow',
  revoked: 'red',
};

/** The status for a person, one fact a line. */
export function describe(terminal: Terminal, status: AgentStatus): string {
  const facts: [string, string | null][] = [
    ['state', paint(COLOUR[status.state], status.state, terminal.stdout)],
    ['since', status.since],
    ['server', status.server],
    ['address', status.address],
    ['handshake', status.handshake_age_s === null ? null : `${status.handshake_age_s} s ago`],
    ['received', status.rx_bytes === 0 ? null : `${status.rx_bytes} bytes`],
    ['sent', status.tx_bytes === 0 ? null : `${status.tx_bytes} bytes`],
    ['round trip', status.rtt_ms === null ? null : `${status.rtt_ms} ms`],
    ['bridge', status.bridge_url],
    ['problem', status.problem?.message ?? null],
    ['what to do', status.problem?.fix ?? null],
  ];
  return facts
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(12)}${value}`)
    .join('\n');
}
