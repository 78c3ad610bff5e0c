// How large the folders in a folder are. FOLDER is where to look, OUTPUT the list that is written, LIMIT_BYTES what is too much.

import fs from 'node:fs';
import path from 'node:path';
import { Odin } from 'odinlib';

const odin = new Odin('folder_sizes.yml');
const folder = process.env.FOLDER ?? '.';
const output = process.env.OUTPUT ?? 'folder_sizes.csv';
const limit = Number(process.env.LIMIT_BYTES ?? 10e9);

/** The bytes of the files in a folder, and in those in it. Links are not followed. */
function bytesOf(inside) {
  let bytes = 0;
  for (const entry of fs.readdirSync(inside, { withFileTypes: true })) {
    const file = path.join(inside, entry.name);
    if (entry.isDirectory()) bytes += bytesOf(file);
    else if (entry.isFile()) bytes += fs.statSync(file).size;
  }
  return bytes;
}

const names = fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
const sizes = odin.span('measure', () =>
  names.map((name, index) => {
    const bytes = bytesOf(path.join(folder, name));
    odin.progress(index + 1, names.length);
    return { name, bytes };
  }));
const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
odin.metric('size', total, 'bytes');
if (sizes.length > 0) odin.watch('largest', sizes.reduce((one, other) => (other.bytes > one.bytes ? other : one)));

fs.writeFileSync(output, sizes.map(({ name, bytes }) => `${JSON.stringify(name)},${bytes}\n`).join(''));
odin.artifact(output);

if (odin.condition('within the limit', total <= limit)) {
  odin.result(`${names.length} folders, ${total} bytes`, 0);
}
odin.result(`${total} bytes are more than ${limit}`, 400);
