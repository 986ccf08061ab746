import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KnownModel } from '../../../server-bridge/engine-llama/src/models/catalogue.ts';
import { download } from '../../../server-bridge/engine-llama/src/models/download.ts';
import { resolveModel } from '../../../server-bridge/engine-llama/src/models/resolve.ts';

const CONTENT = randomBytes(300_000);
const CUT = 120_000;

describe('fetching a model', () => {
  let folder: string;
  let hub: Server;
  let serve: (request: IncomingMessage, response: ServerResponse) => void;
  let ranges: (string | undefined)[];
  let model: KnownModel;
  let fractions: number[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-models-'));
    ranges = [];
    fractions = [];
    serve = serveAll;
    hub = createServer((request, response) => {
      ranges.push(request.headers.range);
      serve(request, response);
    });
    hub.listen(0, '127.0.0.1');
    await once(hub, 'listening');
    model = {
      name: 'test',
      file: 'test.gguf',
      url: `http://127.0.0.1:${(hub.address() as AddressInfo).port}/test.gguf`,
      sha256: createHash('sha256').update(CONTENT).digest('hex'),
      bytes: CONTENT.length,
    };
  });
  afterEach(async () => {
    hub.closeAllConnections();
    hub.close();
    await rm(folder, { recursive: true });
  });

  const options = (signal = new AbortController().signal): Parameters<typeof download>[1] => ({
    folder,
    signal,
    onProgress: (fraction) => fractions.push(fraction),
  });

  function serveAll(request: IncomingMessage, response: ServerResponse): void {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': CONTENT.length - from });
    response.end(CONTENT.subarray(from));
  }

  /** Sends the head of the file and drops the connection once it has been taken. */
  function serveAndCut(_request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-length': CONTENT.length });
    response.write(CONTENT.subarray(0, CUT), () => setTimeout(() => response.destroy(), 20));
  }

  it('puts the whole file in place and tells how far it is', async () => {
    const outcome = await download(model, options());
    assert.equal(outcome.kind, 'there');
    assert.deepEqual(await readFile(join(folder, 'test.gguf')), CONTENT);
    assert.deepEqual(await readdir(folder), ['test.gguf']);
    assert.equal(fractions.at(-1), 1);
    assert.deepEqual(
      fractions,
      fractions.toSorted((a, b) => a - b),
    );
  });

  it('goes on where it was cut', async () => {
    serve = serveAndCut;
    assert.equal((await download(model, options())).kind, 'failed');
    const { size } = await stat(join(folder, 'test.gguf.part'));
    assert.ok(size > 0 && size <= CUT);
    serve = serveAll;
    assert.equal((await download(model, options())).kind, 'there');
    assert.deepEqual(ranges, [undefined, `bytes=${size}-`]);
    assert.deepEqual(await readFile(join(folder, 'test.gguf')), CONTENT);
  });

  it('begins again with a server that cannot go on', async () => {
    serve = serveAndCut;
    await download(model, options());
    serve = (_request, response) => void response.writeHead(200).end(CONTENT);
    assert.equal((await download(model, options())).kind, 'failed');
    assert.equal((await download(model, options())).kind, 'there');
  });

  it('keeps nothing whose sum is wrong', async () => {
    serve = (_request, response) => void response.end(randomBytes(CONTENT.length));
    const outcome = await download(model, options());
    assert.match(outcome.kind === 'failed' ? outcome.message : '', /has sha256 .* was expected/);
    assert.deepEqual(await readdir(folder), []);
  });

  it('names the status of a refusal', async () => {
    serve = (_request, response) => void response.writeHead(404).end();
    const outcome = await download(model, options());
    assert.match(outcome.kind === 'failed' ? outcome.message : '', /answered 404/);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    serve = (_request, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length });
      response.write(CONTENT.subarray(0, CUT), () => stop.abort(new Error('enough')));
    };
    await assert.rejects(download(model, options(stop.signal)));
  });

  it('tells a hub that is not there', async () => {
    const gone = { ...model, url: 'http://127.0.0.1:1/test.gguf' };
    assert.equal((await download(gone, options())).kind, 'unreachable');
  });

  describe('as the engine resolves it', () => {
    it('has the starter stand in, with a notice, where nothing was named', async () => {
      const gone = { ...model, url: 'http://127.0.0.1:1/test.gguf' };
      const resolution = await resolveModel(undefined, options(), gone);
      assert.ok(resolution.kind === 'resolved');
      assert.equal(resolution.model.name, 'hearth-starter');
      assert.match(resolution.notice ?? '', /test couldn't be fetched.*stands in/);
    });

    it('fetches what was not named but can be reached, once', async () => {
      for (let i = 0; i < 2; i += 1) {
        const resolution = await resolveModel(undefined, options(), model);
        assert.ok(resolution.kind === 'resolved');
        assert.deepEqual(resolution.model, { name: 'test', path: join(folder, 'test.gguf') });
      }
      assert.equal(ranges.length, 1);
    });
  });
});
