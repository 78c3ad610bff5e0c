'use strict';
// The connection to Odin.
//
// All writing is done by calls that return at once, on the socket's own descriptor: a report is written by its caller, so that
// a program that crashes or computes for long has said what it saw; of many in a row, those beyond some go out together. Because
// reading can be done the same way, the end of a process can wait for acknowledgements when there is no event loop any more.
//
// The descriptor is the event loop's. It closes it when it finds the connection ended, and the number may then be a file of the
// program: it is used only while the socket has its handle, which goes in the same step.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const { restOfLine } = require('./report.cjs');

/** Reports that wait for their acknowledgement, at most. */
const QUEUE_REPORTS_MAX = 10000;
/** Bytes of them, at most. */
const QUEUE_BYTES_MAX = 8 << 20;
/** Milliseconds that the end of a program waits for acknowledgements, at most. */
const END_WITHIN_MS = 5000;

/** So many reports in a row, and one more in each so many milliseconds, are written by their callers one by one. */
const ONE_BY_ONE = 64;
const ONE_WITHIN_MS = 0.25;
/**
 * Those beyond are written so many at a time: by the call that makes them so many, by the next one that is not too soon after
 * others, or when the program gives way to its event loop.
 */
const TOGETHER = 16;
/** Node's timers take no more. */
const WAIT_MS_MAX = 2 ** 31 - 1;
const WRITE_BYTES = 64 << 10;
/** What is shorter is written as text: a socket takes all of it or nothing, and it needs no copy. */
const SHORT_LENGTH = 4 << 10;
const ANSWER_BYTES_MAX = 64 << 10;
const WRITE_AGAIN_MS = 5;
/** After so many reports without a turn of the event loop, their caller reads answers. */
const READ_EVERY = 256;
/** Milliseconds between such readings when there is no room for another report. */
const READ_AGAIN_MS = 5;
const CONNECT_AGAIN_MIN_MS = 20;
const CONNECT_AGAIN_MAX_MS = 1000;
const SOCKET_NAME_BYTES_MAX = 107;
const O_PATH = 0o10000000;
const ASK_AGAIN = ['values/too-many-connections', 'values/hello-late'];
const NOTHING = Buffer.alloc(0);
const IS_FULL = ['EAGAIN', 'EWOULDBLOCK', 'EINTR'];

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Holds the thread up. */
function sleepSync(milliseconds) {
  Atomics.wait(sleeper, 0, 0, milliseconds);
}

class Link {
  #path;
  #token;
  /** Rests of lines, oldest first: not acknowledged ones of this connection, then not sent ones, from `#unsentAt` on. */
  #waiting = [];
  #first = 0;
  #unsentAt = 0;
  #bytes = 0;
  #acknowledged = 0;
  #dropped = 0;
  #droppedReported = 0;
  #socket;
  #fd = -1;
  #folder = -1;
  #line = NOTHING;
  #lineAt = 0;
  #answers = '';
  #isFull = false;
  /** When it was found to be full. */
  #fullAt = 0;
  /** Reports since answers were last read. */
  #unheard = 0;
  #readAt = 0;
  #isScheduled = false;
  /** When callers that have written one each ONE_WITHIN_MS would be where they are. */
  #due = 0;
  #readInto;
  #connectAfter = CONNECT_AGAIN_MIN_MS;
  #connectTimer;
  #refused;
  #refusedForNow;
  #flushes = new Set();
  #isSaid = false;

  constructor(socketPath, token) {
    this.#path = socketPath;
    this.#token = token;
    // The end by itself, by process.exit and by an exception that nobody caught.
    process.on('exit', () => this.finish());
  }

  /** Takes a report on its way. */
  send(rest, always = false) {
    const now = Date.now();
    // A program that computes for long does not let the event loop read and write.
    if (this.#unheard >= READ_EVERY || (!this.#hasRoom && Math.abs(now - this.#readAt) >= READ_AGAIN_MS)) {
      this.#readAt = now;
      this.#readSync();
    }
    if (this.#refused || !(this.#hasRoom || always)) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(rest);
    this.#bytes += rest.length;
    this.#unheard += 1;
    if (this.#isFull) {
      if (Math.abs(now - this.#fullAt) < WRITE_AGAIN_MS) return;
      this.#isFull = false;
    }
    if (this.#isForCaller(now) || this.#waiting.length - this.#unsentAt >= TOGETHER) {
      if (!this.#socket && !this.#connectTimer) this.#connect();
      this.#write();
    } else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#write();
      });
    }
  }

  /** Whether a caller is to write what there is, however little. */
  #isForCaller(now) {
    let ahead = this.#due - now;
    // It is behind, or somebody has set the clock back.
    if (!(ahead >= 0 && ahead <= ONE_BY_ONE * ONE_WITHIN_MS)) ahead = 0;
    if (ahead > (ONE_BY_ONE - 1) * ONE_WITHIN_MS) return false;
    this.#due = now + ahead + ONE_WITHIN_MS;
    return true;
  }

  /** Waits until all is acknowledged, or nothing more will be, or the time is over. */
  flush(within) {
    const withinMs = waitMs(within);
    this.#write();
    return new Promise((resolve) => {
      const settle = () => {
        if (this.#count > 0 && !this.#refused && timer) return;
        clearTimeout(timer);
        this.#flushes.delete(settle);
        resolve(this.#delivery());
      };
      let timer = setTimeout(() => {
        timer = undefined;
        settle();
      }, withinMs);
      this.#flushes.add(settle);
      settle();
    });
  }

  /** The same without an event loop. */
  flushSync(within) {
    const until = performance.now() + waitMs(within);
    let connectAt = 0;
    while (this.#count > 0 && !this.#refused) {
      const now = performance.now();
      if (!this.#socket && now >= connectAt) {
        this.#connect();
        connectAt = now + this.#connectAfter;
      }
      this.#isFull = false;
      this.#write();
      this.#readSync();
      if (this.#count === 0 || this.#refused) break;
      const left = until - performance.now();
      if (left <= 0) break;
      sleepSync(Math.min(1, left));
    }
    return this.#delivery();
  }

  /** Waits for the acknowledgements, and says on stderr what is missing. */
  finish() {
    if (this.#count === 0 && this.#dropped === 0) return;
    const { undelivered, why } = this.flushSync(END_WITHIN_MS);
    if (undelivered === 0 || this.#isSaid) return;
    this.#isSaid = true;
    const what = undelivered === 1 ? '1 report was' : `${undelivered} reports were`;
    say(`odin: ${what} not delivered: ${why}`);
  }

  get #hasRoom() {
    return this.#count < QUEUE_REPORTS_MAX && this.#bytes < QUEUE_BYTES_MAX;
  }

  get #count() {
    return this.#waiting.length - this.#first;
  }

  #delivery() {
    const undelivered = this.#count + this.#dropped;
    if (undelivered === 0) return { undelivered };
    if (this.#refused) return { undelivered, why: this.#refused };
    if (this.#count === 0) return { undelivered, why: 'the queue was full' };
    return { undelivered, why: this.#refusedForNow ?? 'Odin did not acknowledge in time' };
  }

  #connect() {
    clearTimeout(this.#connectTimer);
    this.#connectTimer = undefined;
    // Makes the descriptor and connects it before it returns; only what came of it is told later.
    const socket = net.connect({ path: this.#address() });
    socket.unref();
    socket.on('error', () => {}); // `close` follows.
    socket.on('close', () => this.#endConnection(socket));
    socket.on('data', (bytes) => {
      if (this.#socket === socket) this.#take(bytes.toString());
    });
    this.#fd = socket._handle?.fd ?? -1;
    this.#socket = socket;
    this.#isFull = false;
    this.#answers = '';
    this.#line = Buffer.from(`${JSON.stringify({ hello: 1, token: this.#token })}\n`);
    this.#lineAt = 0;
    this.#connectAfter = Math.min(this.#connectAfter * 2, CONNECT_AGAIN_MAX_MS);
  }

  /** The socket's path, or a shorter one for it where the kernel's addresses are too short: by its folder. */
  #address() {
    if (Buffer.byteLength(this.#path) <= SOCKET_NAME_BYTES_MAX) return this.#path;
    try {
      if (this.#folder < 0) this.#folder = fs.openSync(path.dirname(this.#path), O_PATH);
      return `/proc/self/fd/${this.#folder}/${path.basename(this.#path)}`;
    } catch {
      return this.#path; // The connection fails, and is tried again.
    }
  }

  /** Whether the descriptor is still the connection's. What is over without having been told is ended here. */
  #isOpen() {
    const socket = this.#socket;
    if (!socket) return false;
    if (socket._handle && this.#fd >= 0) return true;
    this.#endConnection(socket);
    return false;
  }

  /** Writes until nothing is left or there is no room. Returns at once. */
  #write() {
    if (this.#isFull || !this.#isOpen()) return;
    for (;;) {
      if (this.#lineAt === this.#line.length) {
        this.#takeLines();
        if (this.#line.length === 0) return;
      }
      try {
        if (typeof this.#line === 'string') {
          fs.writeSync(this.#fd, this.#line);
          this.#line = NOTHING;
          if (this.#unsentAt === this.#waiting.length) return;
        } else {
          this.#lineAt += fs.writeSync(this.#fd, this.#line, this.#lineAt);
        }
      } catch (error) {
        this.#isFull = true;
        this.#fullAt = Date.now();
        if (IS_FULL.includes(error.code)) this.#writeAgain();
        // Otherwise the connection has ended, which `close` will say.
        return;
      }
    }
  }

  #writeAgain() {
    const socket = this.#socket;
    setTimeout(() => {
      if (this.#socket !== socket) return;
      this.#isFull = false;
      this.#write();
    }, WRITE_AGAIN_MS).unref();
  }

  #takeLines() {
    let lines = '';
    let seq = this.#acknowledged + this.#unsentAt - this.#first;
    while (this.#unsentAt < this.#waiting.length && lines.length < WRITE_BYTES) {
      seq += 1;
      lines += `{"seq":${seq},${this.#waiting[this.#unsentAt]}`;
      this.#unsentAt += 1;
    }
    if (lines === '') this.#line = NOTHING;
    else this.#line = lines.length < SHORT_LENGTH ? lines : Buffer.from(lines);
    this.#lineAt = 0;
  }

  /** Reads what there is without the event loop. Returns at once. */
  #readSync() {
    if (!this.#isOpen()) return;
    const socket = this.#socket;
    this.#unheard = 0;
    this.#readInto ??= Buffer.allocUnsafe(ANSWER_BYTES_MAX);
    try {
      const count = fs.readSync(this.#fd, this.#readInto);
      if (count > 0) this.#take(this.#readInto.toString('utf8', 0, count));
      else this.#endConnection(socket);
    } catch (error) {
      if (!IS_FULL.includes(error.code)) this.#endConnection(socket);
    }
  }

  #take(text) {
    this.#unheard = 0;
    const lines = (this.#answers + text).split('\n');
    this.#answers = lines.pop();
    for (const line of lines) this.#takeAnswer(line);
    if (this.#answers.length > ANSWER_BYTES_MAX) this.#endConnection(this.#socket);
    this.#settle();
  }

  #takeAnswer(line) {
    let answer;
    try {
      answer = JSON.parse(line);
    } catch {
      return;
    }
    if (Number.isInteger(answer?.ack)) {
      this.#refusedForNow = undefined;
      this.#connectAfter = CONNECT_AGAIN_MIN_MS;
      this.#acknowledge(answer.ack);
    } else if (typeof answer?.code === 'string') {
      const why = `${answer.error} (${answer.code})`;
      if (ASK_AGAIN.includes(answer.code)) this.#refusedForNow = why;
      else this.#refused = why;
    }
  }

  #acknowledge(seq) {
    while (this.#acknowledged < seq && this.#first < this.#unsentAt) {
      this.#bytes -= this.#waiting[this.#first].length;
      this.#waiting[this.#first] = undefined;
      this.#first += 1;
      this.#acknowledged += 1;
    }
    // Now and then, so that each report is moved once at most.
    if (this.#first > 1000 && this.#first * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#unsentAt -= this.#first;
      this.#first = 0;
    }
    if (this.#dropped > this.#droppedReported && this.#count < QUEUE_REPORTS_MAX / 2) {
      this.#droppedReported = this.#dropped;
      this.send(restOfLine({ kind: 'watch', name: 'odin.reports_dropped', value: this.#dropped }), true);
    }
  }

  #endConnection(socket) {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#fd = -1;
    socket.destroy();
    this.#line = NOTHING;
    this.#lineAt = 0;
    this.#isFull = false;
    this.#acknowledged = 0;
    this.#unsentAt = this.#first;
    this.#settle();
    if (this.#refused) return;
    this.#connectTimer = setTimeout(() => {
      this.#connectTimer = undefined;
      if (this.#count === 0 || this.#socket) return;
      this.#connect();
      this.#write();
    }, this.#connectAfter).unref();
  }

  #settle() {
    for (const settle of [...this.#flushes]) settle();
  }
}

/** A length of time in milliseconds as setTimeout takes it. What is no number is as if it were left out. */
function waitMs(given) {
  const isNumber = ['number', 'bigint', 'string'].includes(typeof given);
  const milliseconds = isNumber ? Number(given) : Number.NaN;
  return Number.isNaN(milliseconds) ? END_WITHIN_MS : Math.min(Math.max(milliseconds, 0), WAIT_MS_MAX);
}

/** Says a line on stderr. One that is closed hears nothing. */
function say(line) {
  try {
    fs.writeSync(2, `${line}\n`);
  } catch {
    // There is nobody to tell.
  }
}

module.exports = { END_WITHIN_MS, Link, QUEUE_BYTES_MAX, QUEUE_REPORTS_MAX, say };
