import assert from 'node:assert/strict';
import { agentState } from '@hearth/protocol';
import type { AgentState, Problem } from '@hearth/protocol';
import { carries, routeOf, whereDoIStand } from '../../../extension/src/connection/standing.ts';
import type { AgentFact, BridgeFact, Facts } from '../../../extension/src/connection/standing.ts';
import { model } from '../fakes/fake-bridge.ts';

const URL_SET = 'http://127.0.0.1:8000';
const reachable: BridgeFact = { kind: 'reachable', models: [model('coder')] };

/** An agent that is there and in this state. */
function present(state: AgentState, problem?: Problem): AgentFact {
  const status = {
    state,
    since: '2026-01-01T00:00:00Z',
    server: 'vpn.example.org:51820',
    address: null,
    handshake_age_s: null,
    rx_bytes: 0,
    tx_bytes: 0,
    rtt_ms: null,
    bridge_url: null,
    ...(problem === undefined ? {} : { problem }),
  };
  return { kind: 'present', status };
}

const facts = (agent: AgentFact, bridge: BridgeFact = reachable, bridgeUrl = URL_SET): Facts => ({
  agent,
  bridge,
  bridgeUrl,
});

describe('connection: where do I stand?', () => {
  const AGENT: Record<string, [standing: string, carries: boolean]> = {
    unenrolled: ['ready direct', true],
    disconnected: ['tunnelOff disconnected', false],
    connecting: ['connecting tunnel', false],
    connected: ['ready agent', true],
    degraded: ['ready agent', true],
    reconnecting: ['connecting tunnel', false],
    revoked: ['tunnelOff revoked', false],
  };
  for (const state of agentState.options)
    it(`with the agent ${state}`, () => {
      const known = facts(present(state));
      const standing = whereDoIStand(known);
      const detail =
        'via' in standing ? standing.via : 'why' in standing ? standing.why : 'to' in standing && standing.to;
      assert.deepEqual([`${standing.kind} ${detail}`, carries(known)], AGENT[state]);
    });

  it('without an agent, it is the setting that counts; empty, nowhere', () => {
    assert.deepEqual(routeOf(facts({ kind: 'absent' })), { kind: 'direct', url: URL_SET });
    assert.equal(whereDoIStand(facts({ kind: 'absent' }, reachable, '')).kind, 'nowhere');
  });

  it('before the agent was looked for, nothing goes out', () => {
    assert.deepEqual(whereDoIStand(facts({ kind: 'unknown' })), {
      kind: 'connecting',
      to: 'agent',
      again: false,
    });
    assert.equal(carries(facts({ kind: 'unknown' })), false);
  });

  it('an agent that went away is not replaced by the setting', () => {
    assert.deepEqual(whereDoIStand(facts({ kind: 'stopped' })), { kind: 'tunnelOff', why: 'agentStopped' });
    assert.equal(carries(facts({ kind: 'stopped' })), false);
  });

  it('tells a bridge that isn’t there from one that wants a key', () => {
    const bridge = (fact: BridgeFact) => whereDoIStand(facts({ kind: 'absent' }, fact)).kind;
    assert.equal(bridge({ kind: 'untried' }), 'connecting');
    for (const kind of ['unreachable', 'unauthorised', 'notABridge'] as const)
      assert.equal(bridge({ kind, code: 'network', message: '' }), kind);
  });

  it('passes on what the agent says is wrong', () => {
    const problem = { code: 'slow', message: 'The tunnel is slow.', fix: 'Move nearer.' };
    const standing = whereDoIStand(facts(present('degraded', problem)));
    assert.deepEqual('problem' in standing && standing.problem, problem);
  });

  it('sends nothing into a tunnel that is up and silent', () => {
    for (const code of ['tunnel_silent', 'no_handshake']) {
      const known = facts(present('degraded', { code, message: 'm', fix: 'f' }));
      const standing = whereDoIStand(known);
      assert.equal(standing.kind === 'tunnelOff' && standing.why, 'silent');
      assert.equal(carries(known), false);
    }
  });

  it('says why the agent has no tunnel to offer, where there is no bridge without it', () => {
    const problem = { code: 'profile_mode', message: 'm', fix: 'f' };
    const agent = present('unenrolled', problem);
    const gone: BridgeFact = { kind: 'unreachable', code: 'network', message: '' };
    for (const known of [facts(agent, gone), facts(agent, reachable, '')]) {
      const standing = whereDoIStand(known);
      assert.deepEqual('problem' in standing && standing.problem, problem, standing.kind);
    }
    assert.ok(!('problem' in whereDoIStand(facts(agent))));
  });
});
