/** Reports what a job sees while it runs, to the Odin that runs it. */

// Nothing here needs the types of Node or of a browser. What follows is as TypeScript's own library has it since 5.2, for
// those that are compiled without that part of it.
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
}

/** A `file:` URL, as the class `URL` makes them. */
export interface FileUrl {
  readonly href: string;
  readonly protocol: string;
}

/** What a log is written with: `console`, or what stands in for it. */
export interface LogMethods {
  debug(...values: any[]): void;
  info(...values: any[]): void;
  log(...values: any[]): void;
  warn(...values: any[]): void;
  error(...values: any[]): void;
}

/** What became of the reports made so far. */
export interface Delivery {
  /** Reports that nobody has acknowledged: dropped, refused, or not answered in time. Some may have arrived. */
  readonly undelivered: number;
  /** Why, in words, when there are any. */
  readonly why?: string;
}

/** A named length of time. Reported at its end. */
export declare class Span {
  private constructor();
  /** Marks what the span is about as failed, with the reason. */
  fail(reason: unknown): void;
  /** Ends the span and reports it. Further calls do nothing. */
  end(): void;
  /** The same as `end()`, for `using span = odin.startSpan(name)`. */
  [Symbol.dispose](): void;
}

/**
 * Reports what a program sees. All Odins of a process (or of a worker thread) share one connection. Outside Odin every call
 * returns what it would inside and does nothing else, unless `mock()` or `ODIN_MOCK=1` asks for it to be said on stderr.
 * No call waits for Odin but `result`, `flush`, `flushSync` and the end of the process, which wait until everything is
 * acknowledged, 5 seconds at most.
 */
export declare class Odin {
  /**
   * @param config the name of the program's job file. It is not read and need not be there: a run knows its job.
   * @param test the same as a call of `mock()`.
   * @param pathType taken for programs that were written for earlier versions; it changes nothing.
   */
  constructor(config?: string, test?: boolean, pathType?: string);
  /** The name of the program's job file. */
  readonly config: string;
  /** Whether Odin runs this program: whether the socket that `ODIN_SOCKET` names was there at the beginning. */
  readonly isInside: boolean;
  /** The job's id; undefined outside Odin. */
  readonly id: string | undefined;
  /** The run's id; undefined outside Odin. */
  readonly runId: string | undefined;
  /** Outside Odin, says on stderr what would be reported. Inside it changes nothing. */
  mock(): void;
  /**
   * Reports a value under a name. Numbers, bigints, booleans, text and what JSON has a form for keep their type; bytes are text
   * when they are UTF-8; anything else is sent as the text that Node prints for it, also in lists and objects.
   */
  watch(name: string, value: unknown): void;
  /** Reports whether something holds, and returns that. */
  condition(name: string, expression: unknown): boolean;
  /**
   * Reports what came of the program and ends it. Status 0 (also when left out) and 200 to 299 are success, 400 to 499 a
   * warning, anything else is a failure, but for an empty text, which is none; the exit code is 1 for a failure, else 0. In a worker thread it ends the thread.
   */
  result(message: string, status?: number | bigint | string): never;
  /** Reports how far the program is; `total` is left out when nobody knows. */
  progress(done: number | bigint, total?: number | bigint): void;
  /** Reports a number with its unit, for example `ms` or `bytes`. */
  metric(name: string, value: number | bigint, unit?: string): void;
  /**
   * Reports a file that the program made: where it is and how many bytes it has. The file stays where it is. One that cannot be
   * looked at is reported with the error.
   */
  artifact(path: string | FileUrl): void;
  /**
   * Runs `body` as a span: a named length of time, a child of the one it is called in, over every `await`. What it throws or
   * rejects with is the span's error, and is passed on.
   */
  span<T>(name: string, body: (span: Span) => T): T;
  /** Begins a span that ends with `end()`, or with the block of `using span = odin.startSpan(name)`. */
  startSpan(name: string): Span;
  /**
   * Reports what the program prints with `console` as well: watches named `log.debug`, `log.info` (also for `log`),
   * `log.warning` and `log.error`. Returns a function that ends this.
   */
  attachConsole(target?: LogMethods): () => void;
  /** Waits until everything reported so far is acknowledged, so many milliseconds at most: 5,000 when it is left out. */
  flush(withinMs?: number): Promise<Delivery>;
  /** The same, and holds the program up until then. */
  flushSync(withinMs?: number): Delivery;
}

/** Milliseconds that the end of a program waits for acknowledgements, at most: 5,000. */
export declare const END_WITHIN_MS: number;
/** A name's bytes in UTF-8, at most: 256. What is longer is cut and ends with `…`. */
export declare const NAME_BYTES_MAX: number;
/** Bytes of reports that wait for their acknowledgement, at most: 8 MiB. */
export declare const QUEUE_BYTES_MAX: number;
/** Reports that wait, at most: 10,000. At the bound new ones are dropped and counted. */
export declare const QUEUE_REPORTS_MAX: number;
/** A value's text in UTF-8, or its JSON, at most: 4,096. What is longer is cut and marked. */
export declare const VALUE_BYTES_MAX: number;
