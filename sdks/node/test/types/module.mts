// What a program that is an ES module says. Compiled, not run; without the types of Node.

import Odin, { Odin as Named, Span, END_WITHIN_MS, type Delivery, type FileUrl, type LogMethods } from 'odinlib';

declare const url: FileUrl;
declare const log: LogMethods;

const odin: Odin = new Odin('x.yml');
const named: Named = odin;
named.watch('a', 1n);
named.watch('b', { a: [1] });
const holds: boolean = odin.condition('c', '');
odin.progress(1, 2n);
odin.metric('m', 3, 'ms');
odin.artifact('x');
odin.artifact(url);
const five: number = odin.span('s', () => 5);
const later: Promise<number> = odin.span('s', async (span: Span) => {
  span.fail(new Error('x'));
  return 5;
});
const detach: () => void = odin.attachConsole(log);
const delivery: Delivery = await odin.flush(END_WITHIN_MS);
const why: string | undefined = odin.flushSync().why;
{
  using span = odin.startSpan('u');
  const disposable: Disposable = span;
  disposable[Symbol.dispose]();
}
// @ts-expect-error a span needs what it is about
odin.span('x');
// @ts-expect-error spans are begun by an Odin
new Span();

export function end(): number {
  odin.result('x', '200');
}

export { holds, five, later, detach, delivery, why };
