import assert from 'node:assert/strict';
import { agentSocketPath } from '../../../extension/src/connection/agent-socket.ts';

const linux = { os: 'linux', env: { XDG_RUNTIME_DIR: '/run/user/7' }, home: '/home/u', uid: 7 };

describe('connection: the agent’s socket', () => {
  it('is the setting, else the variable, else the platform’s place', () => {
    const env = { ...linux.env, HEARTH_AGENT_SOCKET: '/tmp/a.sock' };
    assert.equal(agentSocketPath('/s.sock', { ...linux, env }), '/s.sock');
    assert.equal(agentSocketPath('', { ...linux, env }), '/tmp/a.sock');
    assert.equal(agentSocketPath('', linux), '/run/user/7/hearth/agent.sock');
    assert.equal(agentSocketPath('', { ...linux, env: {} }), '/run/user/7/hearth/agent.sock');
    const mac = '/home/u/Library/Application Support/Hearth/agent.sock';
    assert.equal(agentSocketPath('', { ...linux, os: 'darwin' }), mac);
    assert.equal(agentSocketPath('', { ...linux, os: 'win32' }), undefined);
  });
});
