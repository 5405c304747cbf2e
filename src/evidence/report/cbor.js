// Canonical CBOR as the ledger format has it (SPEC §2), read strictly: every value has one spelling, and any other is refused
// with its place. Maps become Map, bytes Uint8Array, integers a Number, or a BigInt where that is not exact.

const DEPTH_MAX = 32;

function decode(bytes) {
  const reader = { bytes, at: 0, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
  const value = item(reader, 0);
  if (reader.at !== bytes.length) refuse(reader, "something follows the value");
  return value;
}

function refuse(reader, why) {
  throw new Error(`byte ${reader.at}: ${why}`);
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function item(reader, depth) {
  const first = reader.bytes[reader.at];
  if (first === undefined) refuse(reader, "cut off");
  reader.at += 1;
  const [major, minor] = [first >> 5, first & 31];
  if (major === 7) return simple(reader, minor);
  const number = argument(reader, minor);
  switch (major) {
    case 0:
      return number;
    case 1:
      return negative(reader, number);
    case 2:
      return take(reader, number);
    case 3:
      return text(reader, number);
    case 4:
      return list(reader, number, depth + 1);
    case 5:
      return map(reader, number, depth + 1);
    default:
      return refuse(reader, "a tag");
  }
}

function take(reader, length) {
  const end = reader.at + Number(length);
  if (end > reader.bytes.length) refuse(reader, "cut off");
  const taken = reader.bytes.subarray(reader.at, end);
  reader.at = end;
  return taken;
}

// The smallest number that needs the bytes that follow: one, two, four, eight.
const LEAST = [24, 0x100, 0x10000, 0x100000000n];

function argument(reader, minor) {
  if (minor < 24) return minor;
  if (minor > 27) refuse(reader, "no definite length");
  const { at, view } = reader;
  take(reader, 1 << (minor - 24));
  let number;
  if (minor === 24) number = view.getUint8(at);
  else if (minor === 25) number = view.getUint16(at);
  else if (minor === 26) number = view.getUint32(at);
  else number = view.getBigUint64(at);
  if (number < LEAST[minor - 24]) refuse(reader, "not the shortest form of a number");
  return typeof number === "bigint" ? narrow(number) : number;
}

function negative(reader, number) {
  if (number > 0x7fffffffffffffffn) refuse(reader, "an integer below -2^63");
  return narrow(-1n - BigInt(number));
}

const narrow = (number) => {
  const exact = Number(number);
  return Number.isSafeInteger(exact) ? exact : number;
};

function simple(reader, minor) {
  if (minor === 20 || minor === 21) return minor === 21;
  if (minor === 22) return null;
  // Only migrated values hold floats, and none of those is read here but to be shown.
  if (minor !== 27) refuse(reader, "an unknown simple value");
  const at = reader.at;
  take(reader, 8);
  return new Float(reader.view.getFloat64(at));
}

// So that 1.0 is not taken for 1.
class Float {
  constructor(number) {
    this.number = number;
  }
}

// Most texts are short words of plain letters, for which a decoder costs more than they do.
const SHORT = 64;

function text(reader, length) {
  const { at, bytes } = reader;
  const end = at + Number(length);
  if (length <= SHORT && end <= bytes.length) {
    let word = "";
    let next = at;
    for (; next < end && bytes[next] < 0x80; next += 1) word += String.fromCharCode(bytes[next]);
    if (next === end) {
      reader.at = end;
      return word;
    }
  }
  try {
    return STRICT.decode(take(reader, length));
  } catch {
    return refuse(reader, "text that is not UTF-8");
  }
}

function list(reader, length, depth) {
  if (depth > DEPTH_MAX) refuse(reader, "nested too deep");
  const items = [];
  for (let left = length; left > 0; left -= 1) items.push(item(reader, depth));
  return items;
}

function map(reader, length, depth) {
  if (depth > DEPTH_MAX) refuse(reader, "nested too deep");
  const entries = new Map();
  let before = -1;
  for (let left = length; left > 0; left -= 1) {
    const start = reader.at;
    const key = item(reader, depth);
    if (typeof key !== "string") refuse(reader, "a key that is no text");
    if (before >= 0 && !ascends(reader.bytes, before, start, reader.at)) refuse(reader, "keys out of order");
    before = start;
    entries.set(key, item(reader, depth));
  }
  return entries;
}

// Whether the key spelt at `one` comes before the one from `other` to `end`. A shorter one does by the byte it begins with, so no
// key is the beginning of another.
function ascends(bytes, one, other, end) {
  for (let at = 0; other + at < end; at += 1) {
    const difference = bytes[one + at] - bytes[other + at];
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function order(one, other) {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return one[at] - other[at];
  return one.length - other.length;
}

// Objects are maps. Floats are not written: nothing that is hashed here has one.
function encode(value) {
  SCRATCH.at = 0;
  put(SCRATCH, value);
  return SCRATCH.bytes.slice(0, SCRATCH.at);
}

// Written anew by each call, and grown where it is too small.
const SCRATCH = { bytes: new Uint8Array(4096), at: 0 };

function put(out, value) {
  if (value === null) putByte(out, 0xf6);
  else if (value === false || value === true) putByte(out, value ? 0xf5 : 0xf4);
  else if (typeof value === "string") putText(out, value);
  else if (value instanceof Uint8Array) {
    putHead(out, 2, value.length);
    putBytes(out, value);
  } else if (Array.isArray(value)) {
    putHead(out, 4, value.length);
    for (const one of value) put(out, one);
  } else if (typeof value === "object") putMap(out, value instanceof Map ? value : new Map(Object.entries(value)));
  else if (value < 0) putHead(out, 1, -1n - BigInt(value));
  else putHead(out, 0, value);
}

function putMap(out, entries) {
  putHead(out, 5, entries.size);
  for (const key of inOrder([...entries.keys()])) {
    putText(out, key);
    put(out, entries.get(key));
  }
}

// Keys in canonical order; the same few sets of them come again and again.
const ORDERS = new Map();

function inOrder(keys) {
  const name = keys.join("\n");
  let ordered = ORDERS.get(name);
  if (ordered === undefined) {
    const spelt = keys.map((key) => [utf8(key), key]);
    spelt.sort(([one], [other]) => one.length - other.length || order(one, other));
    ordered = spelt.map(([, key]) => key);
    if (ORDERS.size < 1000 && name.length < 1000) ORDERS.set(name, ordered);
  }
  return ordered;
}

function putText(out, text) {
  const start = out.at;
  if (text.length <= SHORT) {
    putHead(out, 3, text.length);
    room(out, text.length);
    let at = 0;
    for (let unit; at < text.length && (unit = text.charCodeAt(at)) < 0x80; at += 1) out.bytes[out.at + at] = unit;
    if (at === text.length) {
      out.at += at;
      return;
    }
    out.at = start;
  }
  const bytes = utf8(text);
  putHead(out, 3, bytes.length);
  putBytes(out, bytes);
}

function room(out, length) {
  const end = out.at + length;
  if (end > out.bytes.length) {
    const more = new Uint8Array(end * 2);
    more.set(out.bytes);
    out.bytes = more;
  }
}

function putByte(out, byte) {
  room(out, 1);
  out.bytes[out.at] = byte;
  out.at += 1;
}

function putBytes(out, bytes) {
  room(out, bytes.length);
  out.bytes.set(bytes, out.at);
  out.at += bytes.length;
}

function putHead(out, major, argument) {
  const start = major << 5;
  if (argument < 24) {
    putByte(out, start | Number(argument));
    return;
  }
  if (argument < 0x100) {
    putByte(out, start | 24);
    putByte(out, Number(argument));
    return;
  }
  const minor = argument < LEAST[2] ? 1 : argument < LEAST[3] ? 2 : 3;
  putByte(out, start | (24 + minor));
  for (let shift = 8 * (1 << minor) - 8; shift >= 0; shift -= 8) {
    putByte(out, Number((BigInt(argument) >> BigInt(shift)) & 0xffn));
  }
}
