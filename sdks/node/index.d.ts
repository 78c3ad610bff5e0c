import * as types from './types.cjs';

/** What `require('odinlib')` gives: the class, with everything else as its members. */
declare class Odin extends types.Odin {}
declare namespace Odin {
  // Each is a type as well, for `import { Odin, Span } from 'odinlib'`.
  export import Odin = types.Odin;
  export import Span = types.Span;
  export import Delivery = types.Delivery;
  export import FileUrl = types.FileUrl;
  export import LogMethods = types.LogMethods;
  export import END_WITHIN_MS = types.END_WITHIN_MS;
  export import NAME_BYTES_MAX = types.NAME_BYTES_MAX;
  export import QUEUE_BYTES_MAX = types.QUEUE_BYTES_MAX;
  export import QUEUE_REPORTS_MAX = types.QUEUE_REPORTS_MAX;
  export import VALUE_BYTES_MAX = types.VALUE_BYTES_MAX;
}
export = Odin;
