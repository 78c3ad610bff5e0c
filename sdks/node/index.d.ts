import {
  Delivery as DeliveryOf,
  END_WITHIN_MS as endWithin,
  NAME_BYTES_MAX as nameBytes,
  Odin as OdinClass,
  QUEUE_BYTES_MAX as queueBytes,
  QUEUE_REPORTS_MAX as queueReports,
  Span as SpanClass,
  VALUE_BYTES_MAX as valueBytes,
} from './types.cjs';

/** What `require('odinlib')` gives: the class, with everything else as its members. */
declare class Odin extends OdinClass {}
declare namespace Odin {
  type Delivery = DeliveryOf;
  const Odin: typeof OdinClass;
  const Span: typeof SpanClass;
  const END_WITHIN_MS: typeof endWithin;
  const NAME_BYTES_MAX: typeof nameBytes;
  const QUEUE_BYTES_MAX: typeof queueBytes;
  const QUEUE_REPORTS_MAX: typeof queueReports;
  const VALUE_BYTES_MAX: typeof valueBytes;
}
export = Odin;
