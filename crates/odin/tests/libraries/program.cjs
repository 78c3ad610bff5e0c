// A program that reports with odinlib for Node, in the way that its argument names.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const {Odin} = require(process.env.ODINLIB);

const TASKS = 1000;
const odin = new Odin('fetch.yml');
const here = process.env.HERE;

function seen(name, text = 'seen') {
  fs.appendFileSync(path.join(here, name), `${text}\n`);
}

function delivered(delivery) {
  if (delivery.undelivered !== 0) throw new Error(`${delivery.undelivered}: ${delivery.why}`);
}

function types() {
  let deep = 1;
  for (let depth = 0; depth < 100; depth++) deep = [deep];
  odin.watch('a price', 101.5);
  odin.watch('big', 2n ** 63n);
  odin.watch('least', -(2n ** 63n));
  odin.watch('nan', NaN);
  odin.watch('text', 'a,b\n"c" 🙂');
  odin.watch('list', [1, {a: null}]);
  odin.watch('deep', deep);
  odin.watch('long', 'x'.repeat(1 << 20));
  odin.watch('a,b\n"c"\\ 🙂\u202e\x1b[2J', 1);
  odin.watch('', 'no name');
  if (odin.condition('holds', 1 < 2) !== true) throw new Error('holds');
  if (odin.condition('is empty', '') !== false) throw new Error('is empty');
  odin.metric('rows', 48213, 'rows');
  odin.progress(3, 10);
  odin.span('outer', () => odin.span('inner', () => {}));
  odin.result('three rows were missing', 404);
}

async function halves() {
  const say = async (task, from) => {
    for (let n = from; n < from + 3; n++) {
      await null;
      odin.watch('n', task * 6 + n);
    }
  };
  const all = (from) => Promise.all(Array.from({length: TASKS}, (_, task) => say(task, from)));
  await all(0);
  delivered(await odin.flush(60_000));
  seen('half');
  // Opening a pipe waits for who writes to it.
  await fs.promises.readFile(path.join(here, 'go'));
  await all(3);
  delivered(await odin.flush(60_000));
  seen('all');
  odin.result(`${TASKS * 6} values`, 200);
}

async function endless() {
  seen('pid', process.pid);
  for (let n = 0; ; ) {
    for (let some = 0; some < 20; some++) odin.watch('n', n++);
    delivered(await odin.flush(60_000));
    seen('acknowledged', n);
  }
}

({types, halves, endless})[process.argv[2]]();
