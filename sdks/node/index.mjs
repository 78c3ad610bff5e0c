import odinlib from './index.cjs';

export const {
  Odin,
  Span,
  END_WITHIN_MS,
  NAME_BYTES_MAX,
  QUEUE_BYTES_MAX,
  QUEUE_REPORTS_MAX,
  VALUE_BYTES_MAX,
} = odinlib;
export default Odin;
