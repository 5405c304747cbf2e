// Hashes (SPEC §3), the tree over events and signatures of heads (SPEC §7), all by the browser's own WebCrypto.

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

const LEAF = Uint8Array.of(0);
const INNER = Uint8Array.of(1);

const leafHash = (bytes) => sha256(joined(LEAF, bytes));
const nodeHash = (left, right) => sha256(joined(INNER, left, right));
const commitHash = (tag, value) => sha256(encode([tag, value]));

// Many at once, but not all: what waits takes memory.
const AT_ONCE = 1000;

async function each(things, take, told = () => {}) {
  const results = [];
  for (let at = 0; at < things.length; at += AT_ONCE) {
    const some = things.slice(at, at + AT_ONCE);
    results.push(...(await Promise.all(some.map((thing, inside) => take(thing, at + inside)))));
    told(results.length);
  }
  return results;
}

// All complete subtrees over leaf hashes, level by level.
class Tree {
  static async over(leaves) {
    const levels = [leaves];
    for (let below = leaves; below.length > 1; ) {
      const pairs = Array.from({ length: below.length >> 1 }, (_, at) => 2 * at);
      const level = below;
      below = await each(pairs, (at) => nodeHash(level[at], level[at + 1]));
      levels.push(below);
    }
    return new Tree(levels);
  }

  constructor(levels) {
    this.levels = levels;
  }

  get size() {
    return this.levels[0].length;
  }

  // RFC 6962 §2.1: the hash of leaves start to end.
  async range(start, end) {
    const width = end - start;
    const level = Math.log2(width);
    if (Number.isInteger(level) && start % width === 0) return this.levels[level][start / width];
    const split = start + largestPowerBelow(width);
    return nodeHash(await this.range(start, split), await this.range(split, end));
  }

  root(size) {
    return size === 0 ? sha256(new Uint8Array()) : this.range(0, size);
  }

  // What leads from leaf `index` to the root over `size` leaves: on each level the hash beside, its side, and the hash of both.
  async path(index, size) {
    const steps = [];
    const climb = async (start, end) => {
      if (end - start === 1) return this.levels[0][index];
      const split = start + largestPowerBelow(end - start);
      const left = index < split;
      const inside = left ? await climb(start, split) : await climb(split, end);
      const beside = left ? await this.range(split, end) : await this.range(start, split);
      const both = left ? await nodeHash(inside, beside) : await nodeHash(beside, inside);
      const covers = left ? [split, end] : [start, split];
      steps.push({ beside, side: left ? "right" : "left", both, covers });
      return both;
    };
    await climb(0, size);
    return steps;
  }
}

const largestPowerBelow = (width) => 2 ** Math.ceil(Math.log2(width) - 1);

// A signed note that is a head; throws where it is none.
function parseHead(bytes) {
  const note = STRICT.decode(bytes);
  const cut = note.indexOf("\n\n");
  if (bytes.length > 3500 || cut < 0 || !note.endsWith("\n")) throw new Error("not a signed note");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) throw new Error("control characters in a note");
  const text = note.slice(0, cut + 1);
  const lines = text.match(/^glyph-ledger\/([0-9a-f]{64})\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n$/);
  if (lines === null) throw new Error("not the head of a glyph ledger");
  const signatures = note.slice(cut + 2, -1).split("\n").map((line) => {
    const parts = line.match(/^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u);
    if (parts === null) throw new Error("a line that is no signature");
    return { name: parts[1], blob: unbase64Strictly(parts[2]) };
  });
  const actors = signatures.filter(({ name }) => name.startsWith("glyph-actor/"));
  const actor = actors.length === 1 && actors[0].name.match(/^glyph-actor\/([0-9a-f]{64})$/);
  if (!actor || actors[0].blob.length !== 68) throw new Error("not signed by exactly one actor");
  const root = unbase64Strictly(lines[3]);
  if (root.length !== 32) throw new Error("a root that is not 32 bytes");
  const [name, blob] = [actors[0].name, actors[0].blob];
  return {
    note,
    text: utf8(text),
    ledger: lines[1],
    size: Number(lines[2]),
    root,
    actor: actor[1],
    name,
    hint: blob.subarray(0, 4),
    signature: blob.subarray(4),
  };
}

// Why the head is not signed with the key, or null.
async function badSignature(head, publicKey) {
  const hint = (await sha256(joined(utf8(head.name), Uint8Array.of(10, 1), publicKey))).subarray(0, 4);
  if (!same(hint, head.hint)) return "the hint of its signature is of another key";
  const [point, scalar] = [head.signature.subarray(0, 32), head.signature.subarray(32)];
  if (!usablePoint(publicKey) || !usablePoint(point)) return "its signature or key is a point of small order, or in a second spelling";
  if (number(scalar) >= GROUP_ORDER) return "its signature is in a second spelling";
  const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  const good = await crypto.subtle.verify("Ed25519", key, head.signature, head.text);
  return good ? null : "it is not signed with the key that it names";
}

const GROUP_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;
const PRIME = (1n << 255n) - 19n;
// The y of the points whose order divides 8.
const SMALL = new Set([
  0n,
  1n,
  PRIME - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

const number = (bytes) => BigInt(`0x${hex(Uint8Array.from(bytes).reverse())}`);

function usablePoint(bytes) {
  const y = number(bytes) & ((1n << 255n) - 1n);
  return y < PRIME && !SMALL.has(y);
}

// Whether the browser can do all of this. A browser that cannot verifies nothing, and the page says so.
async function missing() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) return "WebCrypto";
  try {
    const known = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    const key = await crypto.subtle.importKey("raw", known, "Ed25519", false, ["verify"]);
    // RFC 8032 §7.1, test 1: of no bytes.
    const signature = unhex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    if (!(await crypto.subtle.verify("Ed25519", key, signature, new Uint8Array()))) return "Ed25519";
    signature[0] ^= 1;
    if (await crypto.subtle.verify("Ed25519", key, signature, new Uint8Array())) return "Ed25519";
    return null;
  } catch {
    return "Ed25519";
  }
}
