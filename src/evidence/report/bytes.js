// Bytes and their spellings: hexadecimal digits, base64, and text that a page may show.

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(bytes) {
  let digits = "";
  for (const byte of bytes) digits += PAIRS[byte];
  return digits;
}

const unhex = (digits) =>
  Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

const unbase64 = Uint8Array.fromBase64
  ? (text) => Uint8Array.fromBase64(text)
  : (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// The same where bytes have one spelling only (SPEC §1).
function unbase64Strictly(text) {
  const bytes = unbase64(text);
  if (base64(bytes) !== text) throw new Error("not the one spelling that base64 has of its bytes");
  return bytes;
}

function base64(bytes) {
  let letters = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    letters += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return btoa(letters);
}

const ENCODER = new TextEncoder();
const utf8 = (text) => ENCODER.encode(text);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function same(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}

// What would not be seen, or would turn the order of letters round: controls, marks of direction, spaces without width,
// private and unpaired code units. Shown by their numbers.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

const plain = (text) =>
  String(text).replace(UNSEEN, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
