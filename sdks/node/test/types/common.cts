// What a CommonJS program says that names what it requires. Compiled, not run.

import Odin = require('odinlib');

const odin: Odin = new Odin('x.yml');
const same: Odin.Odin = new Odin.Odin('x.yml');
const delivery: Odin.Delivery = odin.flushSync(Odin.END_WITHIN_MS);

function end(span: Odin.Span): void {
  span.end();
}

end(same.startSpan('s'));
export { delivery };
