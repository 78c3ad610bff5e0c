'use strict';
// Spans: named lengths of time that nest.

const { AsyncLocalStorage } = require('node:async_hooks');
const { randomBytes } = require('node:crypto');

const { asText } = require('./value.cjs');

/** An error's text in a span, at most; what is longer is cut. */
const ERROR_LENGTH_MAX = 256;
const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** The span that code runs in. */
const open = new AsyncLocalStorage();
let processTrace;

/** The trace of this process, and the span in it that the process is. */
function trace() {
  if (!processTrace) {
    const found = TRACE_PARENT.exec(process.env.TRACEPARENT ?? '');
    const isGood = found && !/^0+$/.test(found[1]) && !/^0+$/.test(found[2]);
    processTrace = isGood
      ? { id: found[1], parent: found[2] }
      : { id: randomBytes(16).toString('hex'), parent: null };
  }
  return processTrace;
}

class Span {
  #send;
  #name;
  #id = randomBytes(8).toString('hex');
  #parent = open.getStore()?.id ?? trace().parent;
  #beganAt = new Date();
  #began = performance.now();
  #error = null;
  #isOver = false;

  constructor(send, name) {
    this.#send = send;
    this.#name = name;
    if (Symbol.dispose) this[Symbol.dispose] = () => this.end();
  }

  fail(reason) {
    this.#error = asText(reason).slice(0, ERROR_LENGTH_MAX);
  }

  end() {
    if (this.#isOver) return;
    this.#isOver = true;
    const value = {
      id: this.#id,
      parent: this.#parent,
      trace: trace().id,
      start: this.#beganAt.toISOString(),
      seconds: (performance.now() - this.#began) / 1000,
      error: this.#error,
    };
    this.#send({ kind: 'span', name: this.#name, value });
  }

  /** Runs `body` inside of this span, and ends it with what it returns. */
  run(body) {
    const failed = (error) => {
      this.fail(error);
      this.end();
      throw error;
    };
    let returned;
    try {
      returned = open.run({ id: this.#id }, body, this);
    } catch (error) {
      failed(error);
    }
    if (typeof returned?.then !== 'function') {
      this.end();
      return returned;
    }
    return returned.then((value) => {
      this.end();
      return value;
    }, failed);
  }
}

module.exports = { Span };
