// The page: what was verified, whose it is, and what happened. Reads what the other parts found out; decides nothing.

const section = (id) => document.getElementById(id);

function verdict(kind, title, text) {
  const banner = section("verdict");
  banner.className = kind;
  document.documentElement.dataset.verdict = kind;
  banner.replaceChildren(el("p", { class: "title" }, title), el("p", {}, text));
}

function progress(text) {
  section("verdict").replaceChildren(el("p", { class: "title" }, "Verifying…"), el("p", {}, text));
}

const definition = (term, ...about) => [el("dt", {}, term), el("dd", {}, about)];

function showIdentity(history, good) {
  const head = history.heads.findLast(({ after, broken }) => !broken && after === good);
  const list = el("dl", { class: "identity" });
  list.append(...definition("Ledger", history.ledger ? hashText(history.ledger) : "unknown").flat());
  if (head) {
    const key = history.keys.get(head.actor);
    list.append(...definition("Signed by key", hashText(head.actor), key && el("p", { class: "aside" }, "public key ", hashText(hex(key.bytes)))));
    list.append(...definition("Head", `${count(head.size, "event")}, root`, hashText(hex(head.root))));
    const last = history.events[good - 1];
    list.append(...definition("Last event", when(last.at), " UTC"));
  }
  const parts = [list];
  if (head) parts.push(el("details", {}, el("summary", {}, "The head as a signed note"), el("pre", {}, head.note.trimEnd().split("\n").map((line) => el("span", { class: "line" }, line)))));
  section("identity").replaceChildren(...parts);
}

function showChecked(history, good, runs, evidence) {
  const certified = runs.filter(({ committed }) => committed);
  const rows = [
    [`${count(history.events.length, "event")} read as canonical bytes, each hashed and linked to the one before`, good === history.events.length],
    [`${count(history.heads.length, "signed head")}: root of the Merkle tree and Ed25519 signature`, history.heads.every((head) => !head.bad && !head.broken && !head.otherRoot)],
    ["each event signed by a key that the events before it allow to", history.signersGood],
    [`${count(certified.length, "certificate")} computed anew from the events`, certified.every((run) => run.certified)],
  ];
  const list = el("ul", { class: "checked" }, rows.map(([text, held]) => el("li", { class: held ? "held" : "not" }, el("span", { class: "mark" }, held ? "✓" : "✗"), text)));
  const left = [
    "whether anything was cut off behind the head: only a head that you have from elsewhere shows it",
    ["the other rules that events follow, stored content and the live store: ", el("code", {}, "glyph-ledger verify-chain --objects"), " does"],
    evidence.leftOut.length > 0 && `${count(evidence.leftOut.length, "list")} of losses and contracts that are too large to be in this file`,
    ["this page itself, which whoever gave it to you could have changed: ", el("code", {}, "verify_export.py"), " is another verifier, and the format’s document says how to write a third"],
  ].filter(Boolean);
  section("checked").replaceChildren(list, el("p", {}, "Not checked here:"), el("ul", {}, left.map((text) => el("li", {}, text))));
}

const FAULTS_SHOWN = 50;

function showFaults(history) {
  const { faults } = history;
  section("faults-section").hidden = faults.length === 0;
  const rows = faults.slice(0, FAULTS_SHOWN).map((fault) => el("li", {}, el("strong", {}, `${faultPlace(fault)}: `), fault.why));
  const more = faults.length - rows.length;
  section("faults").replaceChildren(el("ol", {}, rows), more > 0 ? el("p", {}, `and ${more} more`) : "");
}

const faultPlace = ({ seq, head }) => (head ? `The head after event ${seq}` : `Event ${seq}`);

const PURPOSE = { migrate: "Migration", rollback: "Rollback" };

// The newest of what happened, and of runs that lost something; a page of thousands is read by nobody.
const TOLD_MAX = 400;

function showRuns(runs, events, all) {
  const newest = runs.slice(-TOLD_MAX);
  const items = newest.map((run) => el("li", { class: run.outcome.split(/[ ,]/)[0] }, runHead(run), runBody(run)));
  const beside = events.filter(({ kind }) => AROUND[kind]);
  const around = beside.slice(-TOLD_MAX).map((event) => [event.seq, aroundItem(event)]);
  const told = [...around, ...items.map((item, at) => [newest[at].start.seq, item])].sort(([one], [other]) => one - other);
  const short = events.length < all && el("p", { class: "not" }, `Told as far as the last good head goes: ${count(events.length, "event")} of ${all.toLocaleString("en")}.`);
  const earlier = runs.length + beside.length - told.length;
  const before = earlier > 0 && el("p", { class: "aside" }, `${count(earlier, "earlier thing")} that happened: see the list of events.`);
  section("runs").replaceChildren(...[short, before, el("ol", { class: "timeline" }, told.map(([, item]) => item))].filter(Boolean));
}

const AROUND = {
  "ledger.created": () => "The ledger begins",
  "store.adopted": (body) => `Taken into care at version ${body.get("version")}: ${count(body.get("objects"), "object")}`,
  "key.authorized": (body) => `Another key may ${body.get("roles").join(", ")}`,
  "key.rotated": () => "A key was replaced",
  "key.revoked": (body) => `A key was revoked: ${body.get("reason")}`,
  "approvals.set": (body) => `Plans need the agreement of ${count(body.get("count"), "other")}`,
  "plan.approved": (body) => `Agreed to plan ${shortId(hex(body.get("plan")))}${body.has("reason") ? `: ${body.get("reason")}` : ""}`,
  "drift.accepted": (body) => `${body.get("object")} as it was found is version ${body.get("version")} from here on: ${body.get("reason")}`,
  "object.pruned": (body) => `Images of ${body.get("object")} given up: ${body.get("reason")}`,
};

const aroundItem = (event) =>
  el("li", { class: "around" }, el("p", { class: "when" }, when(event.at), ` · event ${event.seq}`), el("p", {}, AROUND[event.kind](event.body)));

function runHead(run) {
  const { body, start } = run;
  const title = `${PURPOSE[body.get("purpose")]} ${versionsOf(run)}`;
  const lost = run.loss.values > 0n && el("span", { class: "tag lossy" }, `${run.loss.values.toLocaleString("en")} lost`);
  return [
    el("p", { class: "when" }, when(start.at), ` · events ${start.seq} to ${(run.end ?? start).seq}`),
    el("h3", {}, title, " ", el("span", { class: "tag" }, run.outcome), lost),
  ];
}

function versionsOf(run) {
  const [from, to] = [run.body.get("from"), run.body.get("to")];
  if (run.routes.length === 0) return from === to ? "" : `${from} → ${to}`;
  const ways = new Set(run.routes.filter(Boolean).map((route) => `${route.from} → ${route.to}`));
  return cut([...ways].join(", "), 80);
}

function runBody(run) {
  const { body } = run;
  const others = run.approvals.filter(({ actor }) => actor !== run.start.actor).length;
  const list = el("dl", {});
  const add = (term, ...about) => list.append(...definition(term, ...about).flat());
  add("Objects", `${run.objects.length.toLocaleString("en")} of ${Number(body.get("objects")).toLocaleString("en")}`);
  add("Carried out by", brief(run.start.actor));
  add("Agreed to", `by ${count(others, "other key")}; ${run.required} had to`);
  add("Plan", hashText(hex(body.get("plan"))));
  if (run.recorded) {
    const mark = run.certified ? el("span", { class: "held" }, "✓ follows from the events") : el("span", { class: "not" }, `✗ the events give ${hex(run.computed)}`);
    add("Certificate", hashText(hex(run.recorded)), mark);
  }
  if (run.outcome === "aborted") add("Why", `${run.end.body.get("code")}: ${run.end.body.get("message")}`);
  if (run.outcome === "abandoned") add("Why", run.end.body.get("reason"));
  return el("details", {}, el("summary", {}, "Plan, agreement, certificate"), list);
}

// All versions of a contract are drawn up to the first number; of those that runs met, up to the second.
const STOPS_MAX = 8;
const STOPS_DRAWN_MAX = 24;

function showWays(ways, contracts) {
  const digests = [...new Set(ways.map(({ contract }) => contract))];
  const drawings = digests.map((digest) => {
    const contract = contracts.get(digest);
    const own = ways.filter((way) => way.contract === digest);
    const met = new Set(own.flatMap(({ from, to }) => [from, to]));
    const known = contract?.versions ?? [];
    const ordered = [...known.filter((version) => met.has(version)), ...[...met].filter((version) => !known.includes(version))];
    const shown = known.length > 0 && known.length <= STOPS_MAX ? [...known, ...ordered.filter((version) => !known.includes(version))] : ordered;
    const name = contract ? `${contract.name} ${contract.version}` : "Put back as it was, by no contract";
    const hidden = known.length - known.filter((version) => shown.includes(version)).length;
    const about = known.length > 0 && `${count(known.length, "version")} declared${hidden > 0 ? `, ${hidden} that no run stopped at not drawn` : ""}`;
    const moved = own.filter(({ from, to }) => from !== to);
    const stayed = own.filter(({ from, to }) => from === to).map(({ objects, runs }) => el("p", {}, `${count(objects, "object")} in ${count(runs, "run")}`));
    const caption = el("figcaption", {}, el("strong", {}, name), about && el("span", { class: "aside" }, about));
    return el("figure", {}, caption, moved.length > 0 && drawWays(name, shown.slice(0, STOPS_DRAWN_MAX), moved), stayed);
  });
  section("ways").replaceChildren(...(drawings.length > 0 ? drawings : [el("p", {}, "No run was committed.")]));
}

const LOST_SHOWN = 200;

function showLoss(runs) {
  const lossy = runs.filter(({ loss }) => loss.values > 0n);
  if (lossy.length === 0) {
    section("loss").replaceChildren(el("p", {}, "No run lost a value."));
    return;
  }
  const more = lossy.length - TOLD_MAX;
  const before = more > 0 ? [el("p", { class: "aside" }, `${count(more, "earlier run")} that lost something: see the list of events.`)] : [];
  section("loss").replaceChildren(...before, ...lossy.slice(-TOLD_MAX).map((run) => {
    const { loss } = run;
    const parts = [el("h3", {}, `${PURPOSE[run.body.get("purpose")]} ${versionsOf(run)}`, el("span", { class: "aside" }, ` run ${shortId(run.start.id)}, event ${run.start.seq}`))];
    if (loss.tables.size > 0) parts.push(tableLoss(loss.tables));
    const documents = loss.objects.filter(({ entries, unknown }) => entries.length > 0 || unknown);
    if (documents.length > 0) parts.push(documentLoss(documents));
    return el("div", { class: "lost" }, parts);
  }));
}

function tableLoss(tables) {
  const rows = [...tables].flatMap(([name, { dropped, rows, ids, columns }]) => {
    const of = (what, values) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, what), el("td", { class: "number" }, values.toLocaleString("en")));
    return [
      dropped && of("table dropped, rows", rows),
      !dropped && rows > 0 && of("rows gone", rows),
      ids > 0 && of("rows under another id", ids),
      ...[...columns].map(([column, { values, dropped }]) => of([el("code", {}, column), dropped ? " dropped, values" : " changed in rows"], values)),
    ].filter(Boolean);
  });
  const head = el("tr", {}, el("th", {}, "Table"), el("th", {}, "What"), el("th", { class: "number" }, "How much"));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, rows.slice(0, LOST_SHOWN)));
}

function documentLoss(documents) {
  const rows = documents.slice(0, LOST_SHOWN).map(({ object, values, entries, unknown, seq }) =>
    el("tr", {}, el("th", { scope: "row" }, object, el("span", { class: "aside" }, ` event ${seq}`)), el("td", {}, unknown ? "the list of it is not in this file" : entries.slice(0, 20).map(lostValue), entries.length > 20 && `and ${entries.length - 20} more`), el("td", { class: "number" }, values.toLocaleString("en"))));
  const more = documents.length - rows.length;
  const head = el("tr", {}, el("th", {}, "Document"), el("th", {}, "What was lost"), el("th", { class: "number" }, "Values"));
  return [el("table", {}, el("thead", {}, head), el("tbody", {}, rows)), more > 0 && el("p", { class: "aside" }, `and ${count(more, "document")} more`)];
}

const lostValue = ({ path, value }) => el("div", {}, el("code", {}, path || "(all)"), " ", el("span", { class: "aside" }, cut(spelt(value), 120)));

// A value of CBOR as people write it.
function spelt(value) {
  if (value instanceof Uint8Array) return hex(value);
  if (value instanceof Float) return String(value.number);
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(spelt).join(", ")}]`;
  if (value instanceof Map) return `{${[...value].map(([key, inside]) => `${JSON.stringify(key)}: ${spelt(inside)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function showKeys(history) {
  const items = [...history.keys.values()].map((key) => {
    const list = el("dl", {});
    const add = (term, ...about) => list.append(...definition(term, ...about).flat());
    add("Key", hashText(key.id));
    add("Public key", hashText(hex(key.bytes)));
    add("May", key.roles.join(", "), el("span", { class: "aside" }, ` since event ${key.since}`));
    if (key.successor) add("Ended", `at event ${key.ended}: key ${shortId(key.successor)} took over`);
    else if (key.ended !== undefined) add("Revoked", `at event ${key.ended}: ${key.reason}`);
    if (key.suspect !== undefined) add("Suspect", el("span", { class: "not" }, `since event ${key.suspect}: whether its owner signed what follows, people judge`));
    return list;
  });
  section("keys").replaceChildren(...items);
}
