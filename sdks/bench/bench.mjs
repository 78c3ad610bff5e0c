// What a call costs in Node: `bench.mjs measure PORT`.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { Odin } from 'odinlib';

const odin = new Odin('bench.yml');
const now = () => performance.now() * 1000;

function post(number) {
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port: process.argv[3], path: '/stats/add', method: 'POST', agent: false };
    const request = http.request(target, (answer) => answer.resume().on('end', resolve));
    request.on('error', reject);
    request.end(`watch,price,${number}.5,a37b187f5930,1606000000`);
  });
}

const together = [];
const alone = [];
const posts = [];
for (let round = 0; round < 60; round += 1) {
  const began = now();
  for (let number = 0; number < 2000; number += 1) odin.watch('price', number + 0.5);
  together.push((now() - began) / 2000);
  if ((await odin.flush(60000)).undelivered > 0) throw new Error('not delivered');
}
for (let number = 0; number < 500; number += 1) {
  await sleep(2);
  const began = now();
  odin.watch('price', number + 0.5);
  alone.push(now() - began);
}
for (let number = 0; number < 500; number += 1) {
  const began = now();
  await post(number);
  posts.push(now() - began);
}
for (const figures of [together, alone, posts]) {
  figures.sort((one, other) => one - other);
  console.log(figures[Math.floor(figures.length / 2)], figures[Math.floor((figures.length * 99) / 100)]);
}
