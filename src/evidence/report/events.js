// The list of all events, a page at a time, and one of them whole, with the proof that it is under the head.

const PAGE = 50;

class Events {
  constructor(history, good) {
    this.history = history;
    this.good = good;
    this.start = 0;
    this.wanted = "";
    this.found = history.events;
    this.list = el("tbody", {});
    this.told = el("span", { class: "aside", role: "status" });
    this.whole = el("div", { id: "event", tabindex: "-1" });
  }

  show() {
    const kinds = [...new Set(this.history.events.map(({ kind }) => kind).filter(Boolean))];
    const choice = el("select", { id: "kind", change: (event) => this.choose(event.target.value) }, el("option", { value: "" }, "all kinds"), kinds.map((kind) => el("option", { value: kind }, kind)));
    const go = el("input", { id: "seq", inputmode: "numeric", size: 8, placeholder: "event", "aria-label": "Number of an event", keydown: (event) => event.key === "Enter" && this.open(Number(event.target.value)) });
    const step = (by, text) => el("button", { type: "button", click: () => this.turn(by) }, text);
    const bar = el("div", { class: "bar" }, el("label", {}, "Show ", choice), step(-PAGE, "Earlier"), step(PAGE, "Later"), el("label", {}, "Go to ", go), this.told);
    const head = el("tr", {}, ["Event", "Time (UTC)", "Kind", "About"].map((word) => el("th", {}, word)));
    section("events").replaceChildren(bar, el("table", { class: "events" }, el("thead", {}, head), this.list), this.whole);
    this.draw();
  }

  choose(kind) {
    this.found = kind === "" ? this.history.events : this.history.events.filter((event) => event.kind === kind);
    this.start = 0;
    this.draw();
  }

  turn(by) {
    const last = Math.max(0, Math.floor((this.found.length - 1) / PAGE) * PAGE);
    this.start = Math.min(last, Math.max(0, this.start + by));
    this.draw();
  }

  draw() {
    const some = this.found.slice(this.start, this.start + PAGE);
    const wrong = new Set(this.history.faults.map(({ seq }) => seq));
    this.list.replaceChildren(...some.map((event) => this.row(event, wrong.has(event.seq))));
    this.told.replaceChildren(`${this.start + Math.min(1, some.length)} to ${this.start + some.length} of ${this.found.length.toLocaleString("en")}`);
  }

  row(event, wrong) {
    const open = el("button", { type: "button", class: "link", "aria-label": `Event ${event.seq}`, click: () => this.open(event.seq) }, event.seq);
    return el("tr", { class: wrong && "wrong" }, el("td", { class: "number" }, open), el("td", {}, event.broken ? "" : when(event.at)), el("td", {}, event.kind ?? "no event"), el("td", { class: "about" }, cut(aboutEvent(event), 160)));
  }

  async open(seq) {
    const event = this.history.events[seq];
    if (!event) return;
    const parts = [el("h3", {}, `Event ${seq}`, el("span", { class: "aside" }, ` ${event.kind ?? ""}`))];
    const list = el("dl", {});
    const add = (term, ...about) => list.append(...definition(term, ...about).flat());
    add("Id", hashText(event.id));
    if (event.broken) add("Wrong", event.broken);
    else {
      add("Follows", hashText(event.prev));
      add("Signed by", hashText(event.actor));
      for (const [name, value] of event.body) add(name, value instanceof Uint8Array ? hashText(hex(value)) : el("code", {}, cut(spelt(value), 2000)));
    }
    parts.push(list);
    if (seq < this.good) {
      const steps = await this.history.tree.path(seq, this.good);
      const root = steps.at(-1)?.both ?? unhex(event.id);
      const head = this.history.heads.find(({ after }) => after === this.good);
      const held = head && same(root, head.root);
      parts.push(el("figure", {}, el("figcaption", {}, held ? "These hashes lead from the event to the root that was signed." : "These hashes do not lead to the root that was signed."), drawProof(event, steps, this.good)));
    } else parts.push(el("p", { class: "not" }, "No good head covers this event: nothing is proved of it."));
    this.whole.replaceChildren(...parts);
    this.whole.focus();
  }
}

// The few words that tell an event from its neighbours.
function aboutEvent({ broken, body, kind }) {
  if (broken) return broken;
  const say = (name) => (body.has(name) ? (typeof body.get(name) === "string" ? body.get(name) : spelt(body.get(name))) : "");
  switch (kind) {
    case "run.started":
      return `${say("purpose")} ${say("from")} → ${say("to")}`;
    case "run.route":
      return `${say("from")} → ${say("to")}`;
    case "run.committed":
      return `certificate ${shortId(say("certificate"))}`;
    case "run.aborted":
      return `${say("code")}: ${say("message")}`;
    case "contract.frozen":
      return `${say("contract")} ${say("contract_version")}`;
    case "plan.approved":
      return `plan ${shortId(say("plan"))} ${say("reason")}`;
    case "state.recorded":
      return `digest ${shortId(say("digest"))}`;
    case "store.adopted":
      return `${say("contract")} at version ${say("version")}`;
    case "drift.accepted":
      return `${say("object")} at version ${say("version")}: ${say("reason")}`;
    case "object.observed":
      return `${say("object")}, ${say("cause").replace("_", " ")}`;
    default:
      return say("object") || say("reason");
  }
}
