// Whether the embedded bytes are what was signed (SPEC §12), and which of them are not. Judges links, roots, signatures and who was
// allowed to sign; not the other rules of §6.2, and never whether anything is missing behind the last head.

const KINDS = new Set([
  "ledger.created", "key.authorized", "key.rotated", "key.revoked", "approvals.set", "plan.approved", "store.adopted",
  "object.observed", "object.pruned", "drift.accepted", "contract.frozen", "proof.recorded", "run.started", "run.route",
  "object.staged", "object.migrated", "run.committed", "run.published", "run.aborted", "run.abandoned", "state.recorded",
]);

const FIELDS = ["at", "seq", "body", "kind", "prev", "actor", "format", "ledger"];
const HASHES = ["prev", "actor", "ledger"];
const EVENT_BYTES_MAX = 4096;
const NONE = "0".repeat(64);

// The embedded lines: `e` an event, `h` the head after it, `o` a stored object, `t` the name of one that is left out.
function parseEvidence(text) {
  const lines = text.trim().split("\n");
  if (lines.shift() !== "glyph-ledger/report/1") throw new Error("no evidence of this version is embedded");
  const evidence = { events: [], heads: [], objects: [], leftOut: [] };
  for (const line of lines) {
    const [letter, rest] = [line[0], line.slice(2)];
    if (letter === "e") evidence.events.push(rest);
    else if (letter === "h") evidence.heads.push({ after: evidence.events.length, text: rest });
    else if (letter === "o") evidence.objects.push(rest);
    else if (letter === "t") evidence.leftOut.push(rest);
    else throw new Error("a line of the embedded evidence is none");
  }
  return evidence;
}

// Reads an event from base64; what is no event carries why.
function readEvent(text, seq) {
  try {
    const bytes = unbase64(text);
    if (bytes.length > EVENT_BYTES_MAX) throw new Error("longer than an event may be");
    const fields = decode(bytes);
    if (!(fields instanceof Map) || fields.size !== FIELDS.length) throw new Error("not the fields of an event");
    const event = {};
    for (const name of FIELDS) {
      if (!fields.has(name)) throw new Error("not the fields of an event");
      event[name] = fields.get(name);
    }
    for (const name of HASHES) {
      if (!(event[name] instanceof Uint8Array) || event[name].length !== 32) throw new Error(`${name} is no hash`);
      event[name] = hex(event[name]);
    }
    if (!Number.isSafeInteger(event.at) || !Number.isSafeInteger(event.seq)) throw new Error("a number that is none");
    if (event.at < 0 || event.at > 253402300799999) throw new Error("a time that is none");
    if (!(event.body instanceof Map) || !KINDS.has(event.kind)) throw new Error("a kind or body that is unknown");
    if (event.format !== 1) throw new Error("another format");
    return { ...event, seq, stated: event.seq, bytes };
  } catch (error) {
    return { seq, broken: error.message, bytes: new Uint8Array(), body: new Map() };
  }
}

// Everything that can be found out, told step by step. Never throws for what the evidence says.
async function verify(evidence, told = () => {}) {
  const events = evidence.events.map(readEvent);
  const ids = await each(events, ({ bytes }) => leafHash(bytes), (done) => told("ids", done, events.length));
  events.forEach((event, at) => (event.id = hex(ids[at])));
  const history = { events, heads: [], faults: [], keys: new Map(), tree: null, ledger: null };
  const fault = (seq, why, where = {}) => history.faults.push({ seq, why, ...where });
  if (events.length === 0) fault(0, "there is no event at all");
  else await checkGenesis(history, fault);
  checkChain(history, fault);
  history.tree = await Tree.over(ids);
  await judgeKeys(history, fault);
  await checkHeads(evidence, history, fault, told);
  await blame(history, ids);
  history.faults.sort((one, other) => one.seq - other.seq);
  return history;
}

async function checkGenesis(history, fault) {
  const [first] = history.events;
  if (first.broken) return;
  history.ledger = first.ledger;
  const [key, nonce] = [first.body.get("public_key"), first.body.get("nonce")];
  if (first.kind !== "ledger.created" || key?.length !== 32 || nonce?.length !== 16) {
    fault(0, "the first event is not how a ledger begins");
    return;
  }
  if (hex(await sha256(key)) !== first.actor) fault(0, "it is signed by another key than it names");
  const id = hex(await commitHash("ledger_id", [key, nonce]));
  if (id !== first.ledger) fault(0, "the ledger's id does not follow from its key and nonce");
}

function checkChain({ events, ledger }, fault) {
  let before = { id: NONE, at: 0 };
  for (const event of events) {
    if (event.broken) {
      fault(event.seq, `its bytes are no event: ${event.broken}`);
      before = null;
      continue;
    }
    if (event.stated !== event.seq) fault(event.seq, `it says to be event ${event.stated}`);
    if (event.ledger !== ledger && ledger !== null) fault(event.seq, "it belongs to another ledger");
    if (before !== null) {
      if (event.prev !== before.id) fault(event.seq, "link");
      if (event.at < before.at) fault(event.seq, "its time goes back");
    }
    if (event.kind === "ledger.created" && event.seq > 0) fault(event.seq, "a ledger begins only once");
    before = event;
  }
}

const EVERYTHING = ["administer", "append", "approve"];
const ROLE_OF = {
  "key.authorized": "administer",
  "key.revoked": "administer",
  "approvals.set": "administer",
  "plan.approved": "approve",
};

// Follows who may sign, event by event: by key id, where a key was let in, its roles, and where it ended.
async function judgeKeys({ events, keys }, fault) {
  for (const event of events) {
    if (event.broken) continue;
    judgeSigner(keys, event, fault);
    const { body, kind } = event;
    if (kind === "ledger.created") {
      await letIn(keys, event, body.get("public_key"), EVERYTHING);
      await letIn(keys, event, body.get("recovery"), ["administer"]);
    } else if (kind === "key.authorized") {
      await letIn(keys, event, body.get("public_key"), body.get("roles"));
    } else if (kind === "key.rotated") {
      const before = keys.get(event.actor);
      const successor = await letIn(keys, event, body.get("public_key"), before?.roles ?? []);
      if (before) Object.assign(before, { ended: event.seq, successor });
    } else if (kind === "key.revoked") {
      const key = body.get("key") instanceof Uint8Array && keys.get(hex(body.get("key")));
      // One that ended before stays ended there; only since when it is suspect is new.
      if (key) Object.assign(key, { ended: key.ended ?? event.seq, reason: body.get("reason"), suspect: body.get("suspect_since") });
    }
  }
}

function judgeSigner(keys, event, fault) {
  if (event.seq === 0) return;
  const key = keys.get(event.actor);
  const wanted = ROLE_OF[event.kind] ?? "append";
  const anyRole = event.kind === "key.rotated" || event.kind === "state.recorded";
  if (!key || key.ended !== undefined) fault(event.seq, "its signer was not allowed to sign here", { signer: true });
  else if (!(anyRole ? key.roles.some((role) => role !== "publish") : key.roles.includes(wanted))) {
    fault(event.seq, `its signer may not sign ${event.kind}`, { signer: true });
  }
}

async function letIn(keys, { seq, actor }, bytes, roles) {
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32 || !Array.isArray(roles)) return null;
  const id = hex(await sha256(bytes));
  keys.set(id, { id, bytes, roles, since: seq, by: actor });
  return id;
}

async function checkHeads(evidence, history, fault, told) {
  const { events, tree, heads } = history;
  history.signersGood = !history.faults.some(({ signer }) => signer);
  let before = 0;
  for (const { after, text } of evidence.heads) {
    const start = before;
    before = after;
    const closing = after - 1;
    try {
      heads.push({ ...parseHead(unbase64(text)), start, after });
    } catch (error) {
      fault(closing, `it cannot be read: ${error.message}`, { head: true });
      heads.push({ start, after, broken: true });
    }
  }
  if (before !== events.length) fault(before, "it and what follows is signed by nobody");
  await each(heads, async (head, at) => {
    const closing = head.after - 1;
    const say = (why) => {
      head.bad = true;
      fault(closing, why, { head: true });
    };
    if (head.broken) return;
    if (head.after === head.start) say("there are two");
    if (head.after - head.start > 1000) say("it closes more events than a batch has");
    if (head.ledger !== history.ledger) say("it is of another ledger");
    if (head.size !== head.after) say(`it says to be over ${head.size} events`);
    const strange = events.slice(head.start, head.after).find((event) => !event.broken && event.actor !== head.actor);
    if (strange) say(`event ${strange.seq} before it is signed by somebody else`);
    const key = history.keys.get(head.actor);
    if (!key || key.since >= head.after || (key.ended !== undefined && key.ended < head.start)) {
      say("it is signed by a key that was not allowed to");
      return;
    }
    const why = await badSignature(head, key.bytes);
    if (why !== null) {
      say(why);
      return;
    }
    if (head.after <= tree.size && !same(await tree.root(head.after), head.root)) head.otherRoot = true;
    if (at % 100 === 0) told("heads", at, heads.length);
  });
}

// Of two events between which a link is broken, or of all under a head with another root, which were changed: with the ids that
// the next events name in the place of their own, the tree has the root that was signed, or it has not.
async function blame(history, ids) {
  const { events, heads, faults } = history;
  const links = faults.filter(({ why }) => why === "link");
  history.faults = faults.filter(({ why }) => why !== "link");
  const other = heads.filter(({ otherRoot }) => otherRoot);
  if (links.length === 0 && other.length === 0) return;
  const named = namedIds(events, ids);
  const asNamed = await Tree.over(named);
  const good = heads.filter((head) => !head.bad && !head.broken && head.after <= asNamed.size);
  const explained = [];
  for (const head of good) if (same(await asNamed.root(head.after), head.root)) explained.push(head.after);
  const covered = Math.max(0, ...explained);
  const wrong = ids.map((id, at) => at).filter((at) => at < covered && !same(ids[at], named[at]));
  const said = new Set(history.faults.map(({ seq }) => seq));
  for (const seq of wrong) {
    if (!said.has(seq)) history.faults.push({ seq, why: "its bytes are not those that were signed" });
    said.add(seq);
  }
  for (const { seq } of links) {
    if (wrong.includes(seq - 1) || wrong.includes(seq) || said.has(seq) || said.has(seq - 1)) continue;
    history.faults.push({ seq, why: `it does not follow event ${seq - 1}: one of the two was changed` });
    said.add(seq);
  }
  const unexplained = other.find((head) => !explained.includes(head.after) && !wrong.some((seq) => seq < head.after));
  if (unexplained && ![...said].some((seq) => seq < unexplained.after)) {
    const seq = unexplained.after - 1;
    history.faults.push({ seq, why: `it, or several of the ${unexplained.after} events up to it, are not those that were signed` });
  }
  if (history.faults.length === 0) history.faults.push({ seq: 0, why: "the history is not the one that was signed" });
}

// The ids that events should have by what the events after them say. An event that is itself not the one that its follower names is
// asked nothing.
function namedIds(events, ids) {
  const named = [...ids];
  let followerHolds = true;
  for (let at = ids.length - 2; at >= 0; at -= 1) {
    const follower = events[at + 1];
    if (followerHolds && !follower.broken && follower.prev !== NONE) named[at] = unhex(follower.prev);
    followerHolds = same(named[at], ids[at]);
  }
  return named;
}

// The number of events from the first on that nothing is wrong with, and that a good head covers.
function goodUpTo(history) {
  const first = Math.min(history.events.length, ...history.faults.map(({ seq }) => seq));
  const heads = history.heads.filter((head) => !head.bad && !head.broken && !head.otherRoot && head.after <= first);
  return Math.max(0, ...heads.map(({ after }) => after));
}
