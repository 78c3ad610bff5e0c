// The Node SDK where it is more than the contract that all SDKs share. Runs where the package is installed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const FOLDER = path.dirname(new URL(import.meta.url).pathname);

/**
 * Plays a program against an engine that acknowledges everything. One that `breaks` ends its first connection at its hello. With
 * `kill` the program is killed when it has said something on stdout.
 */
async function play(program, { module = true, env = {}, inside = true, breaks = false, kill = false } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'odin-sdk-'));
  const socket = path.join(folder, 'values.sock');
  const lines = [];
  const server = net.createServer((connection) => {
    let rest = '';
    let seen = -1;
    connection.on('error', () => {});
    if (breaks) {
      breaks = false;
      connection.resume().end();
      return;
    }
    connection.on('data', (bytes) => {
      const whole = (rest + bytes).split('\n');
      rest = whole.pop();
      for (const line of whole) {
        seen += 1;
        if (seen > 0) lines.push(JSON.parse(line));
      }
      connection.write(seen > 0 ? `{"ack":${seen}}\n` : '{"ok":true}\n');
    });
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  const file = path.join(FOLDER, `program-${path.basename(folder)}.${module ? 'mjs' : 'cjs'}`);
  fs.writeFileSync(file, program);
  const given = inside ? { ODIN_SOCKET: socket, ODIN_RUN_TOKEN: 't' } : {};
  const child = spawn(process.execPath, [file], { env: { ...process.env, ...given, ...env } });
  let stderr = '';
  child.stderr.on('data', (bytes) => (stderr += bytes));
  child.stdout.once('data', () => kill && child.kill('SIGKILL')).resume();
  const code = await new Promise((resolve) => child.on('close', resolve));
  // `close` waits for the connections, which say their last when they end.
  await new Promise((resolve) => server.close(resolve));
  fs.rmSync(folder, { recursive: true });
  fs.rmSync(file);
  return { code, stderr, lines, seen: lines.map(({ kind, name, value }) => [kind, name, value]) };
}

test('require gives the class, and everything else as its members', async () => {
  const { code, seen, stderr } = await play(
    `const Odin = require('odinlib');
     const { Odin: named, VALUE_BYTES_MAX } = require('odinlib');
     const odin = new Odin('x.yml');
     odin.watch('same', named === Odin && VALUE_BYTES_MAX === 4096);`,
    { module: false },
  );
  assert.deepEqual([code, stderr, seen], [0, '', [['watch', 'same', true]]]);
});

test('awaiting the calls of earlier versions works', async () => {
  const { seen } = await play(
    `import Odin from 'odinlib';
     const odin = new Odin('x.yml', false, 'absolute');
     await odin.watch('a', 1);
     if (await odin.condition('b', 'truthy')) await odin.result('c', '200');`,
  );
  assert.deepEqual(seen, [['watch', 'a', 1], ['condition', 'b', true], ['result', 'c', '200']]);
});

test('spans follow tasks and what they throw', async () => {
  const { lines } = await play(
    `import { setImmediate as turn } from 'node:timers/promises';
     import Odin from 'odinlib';
     const odin = new Odin();
     await odin.span('main', async () => {
       await Promise.all([1, 2].map((n) => odin.span('task ' + n, async () => {
         await turn();
         odin.span('inner ' + n, () => n);
       })));
     });
     try { odin.span('failing', () => { throw new RangeError('r'); }); } catch {}`,
  );
  const names = new Map(lines.map((line) => [line.value.id, line.name]));
  const seen = lines.map(({ name, value }) => [name, names.get(value.parent), value.error]).sort();
  assert.deepEqual(seen, [
    ['failing', undefined, 'RangeError: r'],
    ['inner 1', 'task 1', null],
    ['inner 2', 'task 2', null],
    ['main', undefined, null],
    ['task 1', 'main', null],
    ['task 2', 'main', null],
  ]);
});

test('an exception that nobody caught loses nothing', async () => {
  const { code, seen } = await play(
    `import Odin from 'odinlib';
     const odin = new Odin();
     for (let n = 0; n < 100; n += 1) odin.watch('n', n);
     throw new Error('boom');`,
  );
  assert.equal(code, 1);
  assert.equal(seen.length, 100);
});

test('a worker thread has a connection of its own', async () => {
  const { seen } = await play(
    `import { isMainThread, Worker } from 'node:worker_threads';
     import { fileURLToPath } from 'node:url';
     import Odin from 'odinlib';
     const odin = new Odin();
     odin.watch(isMainThread ? 'main' : 'thread', 1);
     if (isMainThread) for (let n = 0; n < 3; n += 1) new Worker(fileURLToPath(import.meta.url));`,
  );
  assert.deepEqual(seen.map((line) => line[1]).sort(), ['main', 'thread', 'thread', 'thread']);
});

test('a descriptor that is no longer the connection is left alone', async () => {
  const { code, stderr, seen } = await play(
    `import fs from 'node:fs';
     import os from 'node:os';
     import path from 'node:path';
     import Odin from 'odinlib';
     const isSocket = (fd) => fs.readlinkSync('/proc/self/fd/' + fd).startsWith('socket:');
     const sockets = () => fs.readdirSync('/proc/self/fd').map(Number).filter((fd) => { try { return isSocket(fd); } catch { return false; } });
     const before = sockets();
     const odin = new Odin();
     odin.watch('a', 1);
     const [ours] = sockets().filter((fd) => !before.includes(fd));
     const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'odin-sdk-')), 'file');
     let reached = 0;
     function turn() {
       const fd = fs.openSync(file, 'w+');
       if (fd === ours) {
         reached += 1;
         odin.watch('b', 2);
         odin.flushSync(0);
         if (fs.fstatSync(fd).size > 0) throw new Error(fs.readFileSync(file, 'utf8'));
       }
       fs.closeSync(fd);
       if (reached === 0) setImmediate(turn);
       else fs.rmSync(path.dirname(file), { recursive: true });
     }
     turn();`,
    { breaks: true },
  );
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(seen, [['watch', 'a', 1], ['watch', 'b', 2]]);
});

for (const [count, least] of [[50, 50], [300, 285]]) {
  test(`of ${count} reports in a row ${least} have left a program that then never gives way`, async () => {
    const { seen } = await play(
      `import fs from 'node:fs';
       import Odin from 'odinlib';
       const odin = new Odin();
       for (let n = 0; n < ${count}; n += 1) odin.watch('n', n);
       fs.writeSync(1, 'done');
       for (;;);`,
      { kill: true },
    );
    assert.ok(seen.length >= least, `${seen.length}`);
    assert.deepEqual(seen.map((line) => line[2]), seen.map((_, n) => n));
  });
}

test('what is no length of time to wait is as if it were left out', async () => {
  const { code, stderr, seen } = await play(
    `import Odin from 'odinlib';
     const odin = new Odin();
     for (const within of [NaN, 'x', null, {}, Symbol('s'), Infinity, 1e300, 5000n]) {
       odin.watch('a', 1);
       if (odin.flushSync(within).undelivered > 0) throw new Error('sync');
       odin.watch('a', 2);
       if ((await odin.flush(within)).undelivered > 0) throw new Error('async');
     }
     odin.flushSync(-1);`,
  );
  assert.deepEqual([code, stderr, seen.length], [0, '', 16]);
});

test('no call fails for what it is given', async () => {
  const { code, stderr, lines } = await play(
    `import fs from 'node:fs';
     import os from 'node:os';
     import path from 'node:path';
     import Odin from 'odinlib';
     const odin = new Odin();
     const { proxy, revoke } = Proxy.revocable({}, {});
     revoke();
     const bare = Object.create(null);
     odin.watch('proxy', proxy);
     odin.watch('in a list', [proxy]);
     odin.watch(proxy, 1);
     odin.watch(bare, 1);
     odin.metric('m', 1, proxy);
     odin.progress(proxy, NaN);
     odin.condition('c', proxy);
     for (const file of [proxy, 'a\\0b', new URL('http://127.0.0.1/x'), Symbol('s')]) odin.artifact(file);
     process.chdir(fs.mkdtempSync(path.join(os.tmpdir(), 'odin-sdk-')));
     fs.rmdirSync(process.cwd());
     odin.artifact('x');
     odin.startSpan(proxy).fail(proxy);
     try { odin.span('x'); } catch (error) { odin.watch('span', error.message); }
     odin.result(proxy, bare);`,
  );
  assert.deepEqual([code, stderr, lines.length], [1, '', 14]);
  assert.equal(lines[0].value, '<Revoked Proxy>');
  assert.ok(lines.filter((line) => line.kind === 'artifact').every((line) => line.value.path && line.value.error));
  assert.match(lines.find((line) => line.name === 'span').value, /startSpan/);
});

test('values of any type arrive', async () => {
  const { seen } = await play(
    `import Odin from 'odinlib';
     const odin = new Odin();
     const cyclic = {}; cyclic.self = cyclic;
     let deep = []; for (let n = 0; n < 100000; n += 1) deep = [deep];
     const hostile = { toJSON() { throw new Error('no'); } };
     for (const value of [undefined, 2n ** 64n, { a: 2n ** 64n, b: NaN, c: new Set([1]), d: new Map([['k', 1]]) },
       new Date(0), new Error('e'), Symbol('s'), '\\ud800', { a: '\\ud800', b: '\\\\ud800' }, new Uint8Array([97]),
       new Uint8Array([255]), -0, Object(5), /a+/g, Promise.resolve(1), new URLSearchParams('a=1'), new (class Own {})(), {}, [],
       Object.create(null), new URL('http://a/'), new Float64Array([1.5, NaN]), Object(5n),
       { re: /b/, list: [false, new WeakSet()], own: new (class Own { a = 1; })(),
         bytes: [Buffer.from('b'), new Uint8Array([255]), new ArrayBuffer(1)], floats: new Float32Array([0.5]), s: Object(Symbol('t')) },
     ]) odin.watch('v', value);
     odin.watch('text', new DataView(new ArrayBuffer(1)));
     odin.watch('text', function named() {});
     for (const value of [cyclic, deep, hostile, () => 1]) odin.watch('text', value);`,
  );
  const of = (name) => seen.filter((line) => line[1] === name).map((line) => line[2]);
  assert.deepEqual(of('v'), [
    null, 2 ** 64, { a: 2 ** 64, b: 'NaN', c: [1], d: { k: 1 } }, '1970-01-01T00:00:00.000Z', 'Error: e', 'Symbol(s)',
    '\ufffd', { a: '\ufffd', b: '\\ud800' }, 'a', { base64: '/w==' }, 0, 5,
    '/a+/g', 'Promise { 1 }', "URLSearchParams { 'a' => '1' }", 'Own {}', {}, [], {}, 'http://a/', [1.5, 'NaN'], 5,
    { re: '/b/', list: [false, 'WeakSet { <items unknown> }'], own: { a: 1 }, bytes: ['b', { base64: '/w==' }, '\0'], floats: [0.5],
      s: 'Symbol(t)' },
  ]);
  assert.match(of('text')[0], /^DataView/);
  assert.equal(of('text')[1], '[Function: named]');
  assert.ok(of('text').every((text) => typeof text === 'string' && text !== ''));
  assert.equal(of('text').length, 6);
});

test('the snippets of the README run', async () => {
  const readme = fs.readFileSync(path.join(FOLDER, 'node_modules', 'odinlib', 'README.md'), 'utf8');
  const snippets = [...readme.matchAll(/```js\n(.*?)```/gs)].map((found) => found[1]);
  assert.equal(snippets.length, 2);
  for (const snippet of snippets) {
    const module = snippet.includes('import ');
    const { code, stderr } = await play(snippet, { module, inside: false, env: { ODIN_MOCK: '1' } });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^odin: /m);
  }
});
