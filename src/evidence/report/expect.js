// What the reader knows of the ledger from elsewhere, held against what the file says. Only a head shows that nothing is missing.

// Each line, or a whole note, as what it is.
function parseKnown(text) {
  const known = [];
  let rest = text.replace(/\r\n/g, "\n");
  const note = rest.match(/glyph-ledger\/[0-9a-f]{64}\n\d+\n[A-Za-z0-9+/=]+\n(\n(?:— [^\n]+(?:\n|$))+)?/u);
  if (note) {
    const [, id, size, root] = note[0].match(/^glyph-ledger\/([0-9a-f]{64})\n(\d+)\n([^\n]+)/);
    known.push({ kind: "head", ledger: id, size: Number(size), root: base64Hex(root), note: note[1] ? `${note[0].trimEnd()}\n` : null });
    rest = rest.replace(note[0], "\n");
  }
  for (const word of rest.split(/\s+/).filter(Boolean)) {
    const head = word.match(/^(\d+):(.+)$/);
    const digits = word.toLowerCase().replace(/^(ledger|key|glyph-ledger|glyph-actor)[:/]/, "");
    if (head) known.push({ kind: "head", size: Number(head[1]), root: /^[0-9a-f]{64}$/i.test(head[2]) ? head[2].toLowerCase() : base64Hex(head[2]) });
    else if (/^[0-9a-f]{64}$/.test(digits)) known.push({ kind: "hash", digits });
    else if (word.length >= 60 && word.startsWith("AAAAC3NzaC1lZDI1NTE5AAAAI")) known.push({ kind: "hash", digits: base64Hex(word).slice(-64) });
    else if (!/^ssh-ed25519$|@/.test(word)) known.push({ kind: "unreadable", word });
  }
  return known;
}

function base64Hex(text) {
  try {
    return hex(unbase64Strictly(text));
  } catch {
    return "";
  }
}

// What to say of everything that is known: wrong wins, then a head that fits, then a ledger or key that does.
async function compare(history, text) {
  const known = parseKnown(text);
  if (known.length === 0) return { kind: "consistent", told: [] };
  const told = [];
  let wrong = false;
  let upTo = -1;
  for (const one of known) {
    const { good, say, size } = await compareOne(history, one);
    told.push(say);
    wrong ||= !good;
    if (good && size !== undefined) upTo = Math.max(upTo, size);
  }
  return { kind: wrong ? "differs" : upTo >= 0 ? "matches" : "consistent", told, upTo };
}

async function compareOne(history, known) {
  if (known.kind === "unreadable") return { good: false, say: `“${cut(known.word, 40)}” is no head, ledger id or key` };
  if (known.kind === "hash") return compareHash(history, known.digits);
  if (known.ledger && known.ledger !== history.ledger) return { good: false, say: "The head is of another ledger" };
  if (!(known.size >= 1)) return { good: false, say: "A head over no events says nothing" };
  if (known.size > history.events.length) {
    return { good: false, say: `The head that you know is over ${count(known.size, "event")}, this file has ${history.events.length}: its end was cut off, or it is older` };
  }
  if (hex(await history.tree.root(known.size)) !== known.root) return { good: false, say: `The first ${count(known.size, "event")} are others than those of the head that you know: another history` };
  if (known.note !== null && known.note !== undefined) {
    const why = await badNote(history, known.note);
    if (why) return { good: false, say: `The head that you pasted is not signed by a key of this ledger: ${why}` };
  }
  return { good: true, size: known.size, say: `The first ${count(known.size, "event")} are those of the head that you know` };
}

async function badNote(history, note) {
  try {
    const head = parseHead(utf8(note));
    const key = history.keys.get(head.actor);
    // A batch has one actor, that of its head.
    if (key && history.events[head.size - 1]?.actor !== head.actor) return "another key signed the last event under it";
    return key ? await badSignature(head, key.bytes) : "nobody let its key in";
  } catch (error) {
    return error.message;
  }
}

function compareHash(history, digits) {
  if (digits === history.ledger) return { good: true, say: "It is the ledger that you know" };
  const key = [...history.keys.values()].find(({ id, bytes }) => id === digits || hex(bytes) === digits);
  if (key) return { good: true, say: `It knows the key that you know (${key.ended === undefined ? "which may sign" : `which ended at event ${key.ended}`})` };
  return { good: false, say: `${digits.slice(0, 12)}… is neither this ledger's id nor one of its keys` };
}
