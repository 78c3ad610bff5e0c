'use strict';
// What programs call. The types, with what everything means, are in types.d.cts.

const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { format } = require('node:util');

const { END_WITHIN_MS, Link, say } = require('./link.cjs');
const { lineForPeople, outcome, restOfLine, statusText } = require('./report.cjs');
const { Span } = require('./span.cjs');
const { asText } = require('./value.cjs');

const LOG_NAMES = { debug: 'log.debug', info: 'log.info', log: 'log.info', warn: 'log.warning', error: 'log.error' };

/** What all Odins of a process share. Made by the first. */
let client;

function shared() {
  if (!client) {
    const socket = process.env.ODIN_SOCKET;
    const isInside = Boolean(socket) && fs.existsSync(socket);
    client = {
      link: isInside ? new Link(socket, process.env.ODIN_RUN_TOKEN ?? '') : undefined,
      isMock: !['', '0', undefined].includes(process.env.ODIN_MOCK),
    };
  }
  return client;
}

function send(report, always) {
  if (client.link) client.link.send(restOfLine(report), always);
  else if (client.isMock) say(lineForPeople(report));
}

class Odin {
  constructor(config = 'odin_job.yml', test = false, _pathType = 'absolute') {
    this.config = config;
    shared();
    if (test) this.mock();
  }

  get isInside() {
    return client.link !== undefined;
  }

  get id() {
    return process.env.ODIN_JOB_ID;
  }

  get runId() {
    return process.env.ODIN_RUN_ID;
  }

  mock() {
    client.isMock = true;
  }

  watch(name, value) {
    send({ kind: 'watch', name, value });
  }

  condition(name, expression) {
    const holds = Boolean(expression);
    send({ kind: 'condition', name, value: holds });
    return holds;
  }

  result(message, status = 0) {
    send({ kind: 'result', name: message, value: status, status: statusText(status) }, true);
    client.link?.finish();
    process.exit(outcome(status) === 'failure' ? 1 : 0);
  }

  progress(done, total = null) {
    send({ kind: 'progress', name: 'progress', value: { done, total } });
  }

  metric(name, value, unit) {
    send({ kind: 'metric', name, value, unit: unit || undefined });
  }

  artifact(file) {
    const value = {};
    try {
      const given = typeof file === 'object' && file !== null && 'href' in file ? fileURLToPath(file) : String(file);
      // Where a working directory is gone there is no more to say of the path.
      value.path = given;
      value.path = path.resolve(given);
      value.bytes = fs.statSync(given).size;
    } catch (error) {
      value.path ??= asText(file);
      value.error = asText(error?.message ?? error);
    }
    send({ kind: 'artifact', name: path.basename(value.path) || value.path, value });
  }

  span(name, body) {
    if (typeof body !== 'function') {
      throw new TypeError('odin.span(name, body) needs a function to run; odin.startSpan(name) gives a span that ends with end()');
    }
    return this.startSpan(name).run(body);
  }

  startSpan(name) {
    return new Span(send, name);
  }

  attachConsole(target = console) {
    const before = {};
    for (const [method, name] of Object.entries(LOG_NAMES)) {
      const own = target[method];
      before[method] = own;
      target[method] = (...values) => {
        own.apply(target, values);
        send({ kind: 'watch', name, value: format(...values) });
      };
    }
    return () => Object.assign(target, before);
  }

  async flush(withinMs = END_WITHIN_MS) {
    return client.link ? client.link.flush(withinMs) : { undelivered: 0 };
  }

  flushSync(withinMs = END_WITHIN_MS) {
    return client.link ? client.link.flushSync(withinMs) : { undelivered: 0 };
  }
}

module.exports = { Odin };
