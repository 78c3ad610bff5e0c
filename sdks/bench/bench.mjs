// What a call costs in Node: `bench.mjs measure PORT`.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { Odin } from 'odinlib';

const odin = new Odin('bench.yml');
const now = () => performance.now();
const kept = [];

function watch(number) {
  odin.watch('price', number + 0.5);
}

function line(number) {
  const at = new Date().toISOString();
  kept.push(`${JSON.stringify({ seq: number, at, kind: 'watch', name: 'price', value: number + 0.5 })}\n`);
}

function post(number) {
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port: process.argv[3], path: '/stats/add', method: 'POST', agent: false };
    const request = http.request(target, (answer) => answer.resume().on('end', resolve));
    request.on('error', reject);
    request.end(`watch,price,${number}.5,a37b187f5930,1606000000`);
  });
}

// A program that is at work gives the event loop its turn now and then.
async function work(milliseconds) {
  const until = now() + milliseconds;
  let numbers = Array.from({ length: 1000 }, (_, index) => index);
  while (now() < until) numbers = numbers.map((number) => (number * 3) % 1001);
  await new Promise((resolve) => { setImmediate(resolve); });
}

async function inARow(call) {
  const times = [];
  for (let round = 0; round < 60; round += 1) {
    const began = now();
    for (let number = 0; number < 2000; number += 1) call(number);
    times.push((now() - began) / 2000);
    if ((await odin.flush(60000)).undelivered > 0) throw new Error('not delivered');
  }
  return times;
}

async function eachAfter(call, pause, milliseconds, count) {
  const times = [];
  for (let number = 0; number < count; number += 1) {
    await pause(milliseconds);
    const began = now();
    const called = call(number);
    if (called) await called;
    times.push(now() - began);
  }
  return times;
}

function say(name, times) {
  times.sort((one, other) => one - other);
  console.log(name, times[Math.floor(times.length / 2)] * 1000, times[Math.floor((times.length * 99) / 100)] * 1000);
}

for (const [prefix, call] of [['', watch], ['line_', line]]) {
  say(`${prefix}row`, await inARow(call));
  say(`${prefix}work2`, await eachAfter(call, work, 2, 500));
  say(`${prefix}work20`, await eachAfter(call, work, 20, 200));
  say(`${prefix}sleep2`, await eachAfter(call, sleep, 2, 500));
}
say('post', await eachAfter(post, sleep, 0, 500));
