// The same with the imports of ES modules, as most programs in TypeScript are written. Compiled, not run.

import Default, { Odin, Span, VALUE_BYTES_MAX } from 'odinlib';
import type { Delivery } from 'odinlib';

function load(odin: Odin, span: Span): Delivery {
  span.end();
  odin.watch('bytes', VALUE_BYTES_MAX);
  return odin.flushSync();
}

const odin: Odin = new Default('x.yml');
load(new Odin('x.yml'), odin.startSpan('s'));
