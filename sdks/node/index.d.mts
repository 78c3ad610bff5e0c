export {
  Delivery,
  END_WITHIN_MS,
  FileUrl,
  LogMethods,
  NAME_BYTES_MAX,
  Odin,
  Odin as default,
  QUEUE_BYTES_MAX,
  QUEUE_REPORTS_MAX,
  Span,
  VALUE_BYTES_MAX,
} from './types.cjs';
