'use strict';
// Values as JSON: types kept, lengths bounded, and what is cut marked.

const { inspect, types } = require('node:util');

/** A value's text in UTF-8, or its JSON, at most. */
const VALUE_BYTES_MAX = 4096;
/** A name's bytes in UTF-8, at most. */
const NAME_BYTES_MAX = 256;
/** How deep JSON may be nested to be sent as JSON. */
const DEPTH_MAX = 64;
/** Names are few and come again and again. At the bound all are forgotten. */
const NAMES_MAX = 1000;

const names = new Map();
/** Stands around the digits of bigints, for which JSON.stringify has no form. Nobody else's text has it. */
const BIGINT_MARK = `@${process.pid}.${Math.random().toString(36).slice(2)}@`;
const MARKED_BIGINT = new RegExp(`"${BIGINT_MARK}(-?\\d+)"`, 'g');
const SURROGATE = /[\ud800-\udfff]/;
/** As JSON.stringify writes halves of surrogate pairs, behind an even number of backslashes. */
const ESCAPED_SURROGATE = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/** A name within its bound, as JSON. */
function encodeName(name) {
  const known = names.get(name);
  if (known !== undefined) return known;
  const encoded = JSON.stringify(withinBound(typeof name === 'string' ? name : asText(name)));
  if (typeof name === 'string' && name.length <= NAME_BYTES_MAX) {
    if (names.size >= NAMES_MAX) names.clear();
    names.set(name, encoded);
  }
  return encoded;
}

/** Text within the bound of names. */
function withinBound(given) {
  const text = wellFormed(given);
  if (text.length * 3 <= NAME_BYTES_MAX) return text;
  const whole = Buffer.from(text);
  return whole.length > NAME_BYTES_MAX ? begin(whole, NAME_BYTES_MAX - 3) + '…' : text;
}

/** Any value as `{ json, type, cut }`. Never throws: what JSON has no form for is sent as its text. */
function encode(value) {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return { json: String(value) };
      return { json: `"${value}"`, type: 'number' };
    case 'bigint': {
      const json = value.toString();
      return json.length <= VALUE_BYTES_MAX ? { json } : encodeText(json);
    }
    case 'boolean':
      return { json: value ? 'true' : 'false' };
    case 'string':
      return encodeText(value);
    case 'undefined':
      return { json: 'null' };
    case 'object':
      if (value === null) return { json: 'null' };
      try {
        return encodeObject(value);
      } catch {
        return encodeText(asText(value)); // Not even asking what it is went well: a revoked Proxy.
      }
    default:
      return encodeText(asText(value));
  }
}

function encodeObject(value) {
  if (value instanceof Uint8Array) return encodeBytes(bytesOf(value));
  if (types.isAnyArrayBuffer(value)) return encodeBytes(Buffer.from(value));
  if (value instanceof Error || value instanceof Date) return encodeText(asText(value));
  if (types.isBoxedPrimitive(value)) return encode(value.valueOf());
  if (hasNothingToList(value)) return encodeText(asText(value));
  return encodeJson(value);
}

/** Text within its bound. */
function encodeText(given, type) {
  const text = wellFormed(given);
  // No unit of a JavaScript string has more than three bytes.
  if (text.length <= VALUE_BYTES_MAX / 3) return { json: JSON.stringify(text), type };
  const size = Buffer.byteLength(text);
  if (size <= VALUE_BYTES_MAX) return { json: JSON.stringify(text), type };
  const mark = `… [cut: ${size} bytes]`;
  const kept = begin(Buffer.from(text.slice(0, VALUE_BYTES_MAX)), VALUE_BYTES_MAX - Buffer.byteLength(mark));
  return { json: JSON.stringify(kept + mark), type, cut: size };
}

function encodeBytes(bytes) {
  const text = bytes.toString();
  // Bytes that are no text come back as others.
  if (Buffer.byteLength(text) === bytes.length && Buffer.from(text).equals(bytes)) return encodeText(text);
  const kept = bytes.subarray(0, Math.floor((VALUE_BYTES_MAX - 64) / 4) * 3);
  const base64 = kept.toString('base64');
  if (kept.length === bytes.length) return { json: `{"base64":"${base64}"}` };
  return { json: `{"base64":"${base64}","cut":${bytes.length}}`, cut: bytes.length };
}

function encodeJson(value) {
  let json;
  try {
    json = JSON.stringify(value, plain);
  } catch {
    return encodeText(asText(value)); // Cyclic, nested too deep, or with a toJSON of its own that fails.
  }
  if (json === undefined) return encodeText(asText(value));
  json = json.replace(MARKED_BIGINT, '$1').replace(ESCAPED_SURROGATE, '$1\\ufffd');
  if (Buffer.byteLength(json) > VALUE_BYTES_MAX || depth(json) > DEPTH_MAX) return encodeText(json, 'json');
  return { json };
}

/** What stands for a value that JSON.stringify would lose or refuse. `this` is what holds it. */
function plain(key, value) {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'bigint') return `${BIGINT_MARK}${value}`;
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return asText(value);
  // A Buffer has become a list of numbers by now.
  const given = this[key];
  if (given instanceof Uint8Array) return JSON.parse(encodeBytes(bytesOf(given)).json);
  if (types.isAnyArrayBuffer(value)) return JSON.parse(encodeBytes(Buffer.from(value)).json);
  if (types.isTypedArray(value)) return [...value];
  if (types.isBigIntObject(value)) return `${BIGINT_MARK}${value}`;
  if (types.isSymbolObject(value)) return asText(value.valueOf());
  if (hasNothingToList(value)) return asText(value);
  return value;
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

/** Whether JSON would say no more of an object than `{}`, though it is of a class: of a RegExp, a Promise, a DataView. */
function hasNothingToList(value) {
  if (Array.isArray(value) || types.isMap(value) || types.isSet(value) || types.isBoxedPrimitive(value)) return false;
  if (typeof value.toJSON === 'function') return false;
  const prototype = Object.getPrototypeOf(value);
  // The Object of any realm has no prototype behind its own.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return !isPlain && Object.keys(value).length === 0;
}

/** What Node prints for a value; its type when even that fails. */
function asText(value) {
  try {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  } catch {
    // It is a Proxy, or has code of its own that fails. What prints it may know better.
  }
  try {
    return typeof value === 'object' || typeof value === 'function' ? inspect(value) : String(value);
  } catch {
    return `<${typeof value}>`;
  }
}

/** Text that has a form in UTF-8: halves of surrogate pairs, which have none, become U+FFFD. */
function wellFormed(text) {
  return SURROGATE.test(text) ? Buffer.from(text).toString() : text;
}

/** The longest beginning that ends between characters. */
function begin(whole, bytesMax) {
  let end = Math.min(bytesMax, whole.length);
  while (end < whole.length && end > 0 && (whole[end] & 0xc0) === 0x80) end -= 1;
  return whole.toString('utf8', 0, end);
}

/** How deep a JSON text is nested. */
function depth(json) {
  let open = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < json.length; at += 1) {
    const unit = json.charCodeAt(at);
    if (inString) {
      if (unit === 0x5c) at += 1;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x5b || unit === 0x7b) deepest = Math.max(deepest, (open += 1));
    else if (unit === 0x5d || unit === 0x7d) open -= 1;
  }
  return deepest;
}

module.exports = { NAME_BYTES_MAX, VALUE_BYTES_MAX, asText, encode, encodeName, withinBound };
