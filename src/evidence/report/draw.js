// Elements and drawings. Everything that comes from the ledger goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : plain(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(plain(child));
  }
  return element;
}

// A hash whole, in groups that the eye can compare; copied, it has no spaces.
function hashText(digits) {
  const groups = digits.match(/.{1,8}/g) ?? [];
  return el("code", { class: "hash" }, groups.map((group) => el("span", {}, group)));
}

const brief = (digits) => el("code", { class: "brief", title: digits }, shortId(digits));

const when = (ms) => {
  const text = new Date(ms).toISOString();
  return el("time", { datetime: text }, text.slice(0, 10), " ", text.slice(11, 19));
};

const count = (number, thing) => `${Number(number).toLocaleString("en")} ${thing}${Number(number) === 1 ? "" : "s"}`;

const WIDTH = 720;

// The versions that runs met, from left to right, and the ways between them: forward above the line, back below it.
function drawWays(title, versions, ways) {
  const gap = versions.length > 1 ? (WIDTH - 160) / (versions.length - 1) : 0;
  const place = new Map(versions.map((version, at) => [version, versions.length > 1 ? 80 + at * gap : WIDTH / 2]));
  const lane = (way) => Math.min(4, Math.max(1, Math.abs(versions.indexOf(way.to) - versions.indexOf(way.from))));
  const up = Math.max(0, ...ways.filter(isUp).map(lane)) * 34 + 40;
  const down = Math.max(0, ...ways.filter((way) => !isUp(way)).map(lane)) * 34 + 46;
  function isUp(way) {
    return versions.indexOf(way.to) > versions.indexOf(way.from);
  }
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${up + down}`, role: "img", "aria-label": title, class: "ways" });
  drawing.append(svg("defs", {}, arrowHead("forward"), arrowHead("back")));
  drawing.append(svg("line", { x1: 80, y1: up, x2: WIDTH - 80, y2: up, class: "rail" }));
  for (const way of ways) {
    const [from, to] = [place.get(way.from), place.get(way.to)];
    if (from === undefined || to === undefined) continue;
    const bend = (isUp(way) ? -1 : 1) * lane(way) * 46;
    const near = Math.sign(to - from) * 9;
    const kind = isUp(way) ? "forward" : "back";
    const start = up + Math.sign(bend) * 8;
    const curve = `M ${from + near} ${start} C ${from + near * 3} ${up + bend}, ${to - near * 3} ${up + bend}, ${to - near} ${start}`;
    drawing.append(svg("path", { d: curve, class: `way ${kind}`, "marker-end": `url(#${kind})` }));
    const label = `${count(way.objects, "object")}${way.runs > 1 ? `, ${way.runs} runs` : ""}`;
    drawing.append(svg("text", { x: (from + to) / 2, y: up + bend * 0.76 + (isUp(way) ? -8 : 18), class: "label" }, label));
  }
  for (const [version, x] of place) {
    drawing.append(svg("circle", { cx: x, cy: up, r: 6, class: "stop" }));
    drawing.append(svg("text", { x, y: up + 24, class: "version" }, cut(version, 18)));
  }
  return drawing;
}

function arrowHead(kind) {
  const shape = svg("path", { d: "M 0 1 L 8 5 L 0 9 z", class: `head ${kind}` });
  return svg("marker", { id: kind, viewBox: "0 0 9 10", refX: 7, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto" }, shape);
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// From an event up to the root that was signed: on each level what stands beside, and the hash of both.
function drawProof(event, steps, size) {
  const rise = 58;
  const height = steps.length * rise + 74;
  const label = `Proof that event ${event.seq} is among the ${size} under the head`;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label, class: "proof" });
  const middle = WIDTH / 2;
  const box = (x, y, digits, note, kind) => {
    drawing.append(svg("rect", { x: x - 92, y: y - 17, width: 184, height: 34, rx: 5, class: kind }));
    drawing.append(svg("text", { x, y: y - 2, class: "digits" }, `${digits.slice(0, 16)}…`));
    drawing.append(svg("text", { x, y: y + 11, class: "note" }, note));
  };
  const line = (x1, y1, x2, y2, kind) => drawing.append(svg("path", { d: `M ${x1} ${y1} C ${x1} ${(y1 + y2) / 2}, ${x2} ${(y1 + y2) / 2}, ${x2} ${y2}`, class: kind }));
  let y = height - 26;
  steps.forEach(({ beside, side, covers }) => {
    const x = middle + (side === "right" ? 210 : -210);
    line(middle, y - 17, middle, y - rise + 17, "own");
    line(x, y - 17, middle, y - rise + 17, "beside");
    const [start, end] = covers;
    box(x, y, hex(beside), end - start === 1 ? `event ${start}` : `events ${start} to ${end - 1}`, "other");
    y -= rise;
  });
  y = height - 26;
  box(middle, y, event.id, `event ${event.seq}`, "leaf");
  steps.forEach(({ both }, at) => {
    y -= rise;
    const last = at === steps.length - 1;
    box(middle, y, hex(both), last ? `root over ${size} events` : "both, hashed", last ? "root" : "node");
  });
  return drawing;
}
