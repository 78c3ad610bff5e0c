'use strict';

const { END_WITHIN_MS, QUEUE_BYTES_MAX, QUEUE_REPORTS_MAX } = require('./lib/link.cjs');
const { Odin } = require('./lib/odin.cjs');
const { Span } = require('./lib/span.cjs');
const { NAME_BYTES_MAX, VALUE_BYTES_MAX } = require('./lib/value.cjs');

// Both `const Odin = require('odinlib')` and `const { Odin } = require('odinlib')`.
module.exports = Object.assign(Odin, {
  Odin,
  Span,
  END_WITHIN_MS,
  NAME_BYTES_MAX,
  QUEUE_BYTES_MAX,
  QUEUE_REPORTS_MAX,
  VALUE_BYTES_MAX,
});
