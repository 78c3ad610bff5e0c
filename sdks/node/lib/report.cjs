'use strict';
// One report as a line of the values socket, and as a line for people.

const { asText, encode, encodeName, withinBound } = require('./value.cjs');

/** Not what `trim` takes for space: that has a byte order mark, and no U+0085. */
const SPACE_AROUND = /^\p{White_Space}+|\p{White_Space}+$/gu;
const DIGITS = /^\+?\d+$/;

/** A report's line, all but its number, which depends on the connection. */
function restOfLine({ kind, name, value, status, unit }) {
  const { json, type, cut } = encode(value);
  const at = new Date().toISOString();
  let line = `"at":"${at}","kind":"${kind}","name":${encodeName(name)},"value":${json}`;
  if (status !== undefined) line += `,"status":${encodeName(status)}`;
  if (unit !== undefined) line += `,"unit":${encodeName(unit)}`;
  if (type !== undefined) line += `,"type":"${type}"`;
  if (cut !== undefined) line += `,"cut":${cut}`;
  return `${line}}\n`;
}

/** What mock says of a report, all in printable characters. */
function lineForPeople({ kind, name, value, unit }) {
  let line = `odin: ${kind} ${encodeName(name)} = ${encode(value).json}`;
  if (unit !== undefined) line += ` ${encodeName(unit).slice(1, -1)}`;
  if (kind === 'result') line += ` (${outcome(value)})`;
  // JSON leaves some of the characters alone that terminals obey.
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, (letter) =>
    `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A status as a report has it. */
function statusText(status) {
  try {
    return withinBound(String(status));
  } catch {
    return withinBound(asText(status)); // Of an object that has no text of its own.
  }
}

/**
 * What a result's status says of the run: `success`, `warning` or `failure`. It reads as Odin does: ASCII digits that may have a
 * plus before them and spaces around them, and nothing is success.
 */
function outcome(status) {
  const text = statusText(status).replace(SPACE_AROUND, '');
  if (text === '') return 'success';
  const number = DIGITS.test(text) ? Number(text) : Number.NaN;
  if (number === 0 || (number >= 200 && number <= 299)) return 'success';
  return number >= 400 && number <= 499 ? 'warning' : 'failure';
}

module.exports = { lineForPeople, outcome, restOfLine, statusText };
