// Makes the calls of a case with the Node SDK. What comes back is printed as lines of JSON.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Odin } from 'odinlib';

function valueOf(given) {
  const [[kind, what]] = Object.entries(given);
  switch (kind) {
    case 'int':
      return Number.isSafeInteger(Number(what)) ? Number(what) : BigInt(what);
    case 'float':
      return Number(what);
    case 'repeat':
      return what[0].repeat(what[1]);
    case 'bytes':
      return Buffer.from(what, 'base64');
    case 'bytes_repeat':
      return Buffer.alloc(what[1], what[0]);
    case 'list':
      return Array(what).fill(1);
    case 'deep': {
      let value = [];
      for (let depth = 1; depth < what; depth += 1) value = [value];
      return value;
    }
    case 'null':
      return null;
    default:
      return what;
  }
}

const say = (what) => fs.writeSync(1, `${JSON.stringify(what)}\n`);
const nameOf = (given) => (typeof given === 'object' ? valueOf(given) : given);
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

async function play(odin, steps) {
  for (const step of steps) {
    const [[call, what]] = Object.entries(step);
    if (call === 'watch') odin.watch(nameOf(what[0]), valueOf(what[1]));
    else if (call === 'condition') say({ returned: odin.condition(...what) });
    else if (call === 'result') odin.result(...what);
    else if (call === 'progress') odin.progress(...what);
    else if (call === 'metric') odin.metric(what[0], valueOf(what[1]), what[2]);
    else if (call === 'artifact') odin.artifact(what);
    else if (call === 'span') {
      const body = async () => {
        await play(odin, what.steps);
        if (what.error) throw new Error(what.error);
      };
      await odin.span(what.name, body).catch(() => {});
    } else if (call === 'log') {
      const method = what[0] === 'warning' ? 'warn' : what[0];
      const quiet = { debug() {}, info() {}, log() {}, warn() {}, error() {} };
      const detach = odin.attachConsole(quiet);
      quiet[method](what[1]);
      detach();
    } else if (call === 'mock') odin.mock();
    else if (call === 'many') {
      for (let n = 0; n < what.count; n += 1) odin.watch(what.name, valueOf(what.value));
    } else if (call === 'threads') {
      // What runs at once in Node are tasks.
      const task = async () => {
        for (let n = 0; n < what.each; n += 1) {
          odin.watch('t', n);
          await null;
        }
      };
      await Promise.all(Array.from({ length: what.count }, task));
    } else if (call === 'child') {
      spawnSync(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify({ steps: what })], { stdio: 'inherit' });
    } else if (call === 'flush') {
      say({ undelivered: (await odin.flush(what)).undelivered });
    } else if (call === 'signal') {
      say({ signal: what });
      // Holds the event loop up, as a program that computes does.
      fs.readSync(0, Buffer.alloc(16));
    } else if (call === 'pause') sleep(what);
    else if (call === 'forever') {
      for (let n = 0; ; n += 1) odin.watch(what, n);
    } else if (call === 'crash') process.kill(process.pid, 'SIGKILL');
    else throw new Error(call);
  }
}

await play(new Odin('contract.yml'), JSON.parse(process.argv[2]).steps);
