// What the history says, computed from its events alone: runs with their certificates (SPEC §8.5), what was lost, contracts.

const shortId = (id) => id.slice(0, 12);

// The runs in order, each with all that its events say.
function runsOf(history) {
  const runs = [];
  const approvals = new Map();
  let open = null;
  let required = 0;
  for (const event of history.events) {
    if (event.broken) continue;
    const { body, kind } = event;
    if (kind === "approvals.set") required = body.get("count");
    else if (kind === "plan.approved") {
      const plan = hex(body.get("plan"));
      approvals.set(plan, [...(approvals.get(plan) ?? []), { actor: event.actor, seq: event.seq, reason: body.get("reason") }]);
    } else if (kind === "run.started") {
      const agreed = approvals.get(hex(body.get("plan"))) ?? [];
      open = { start: event, body, required, approvals: [...agreed], routes: [], paths: new Map(), objects: [], outcome: "under way" };
      runs.push(open);
    } else if (open !== null) open = takeIntoRun(open, event);
  }
  return runs;
}

function takeIntoRun(run, event) {
  const { body, kind } = event;
  if (kind === "run.route") takeRoute(run, body);
  else if (kind === "object.staged") {
    const path = run.paths.get(body.get("object")) ?? [];
    const edge = body.get("edge");
    if (path.length === 0 || !same(path.at(-1), edge)) path.push(edge);
    run.paths.set(body.get("object"), path);
  } else if (kind === "object.migrated") run.objects.push(event);
  else if (kind === "run.committed") Object.assign(run, { committed: event, outcome: "committed, not published" });
  else if (kind === "run.published") Object.assign(run, { end: event, outcome: "published" });
  else if (kind === "run.aborted") Object.assign(run, { end: event, outcome: "aborted" });
  else if (kind === "run.abandoned") Object.assign(run, { end: event, outcome: "abandoned" });
  return run.end ? null : run;
}

function takeRoute(run, body) {
  const number = body.get("route");
  const before = run.routes[number];
  if (before) before.edges.push(...body.get("edges"));
  else run.routes[number] = { from: body.get("from"), to: body.get("to"), contract: body.get("contract"), edges: [...body.get("edges")] };
}

// Recomputes the certificate of a run that was committed, and compares it.
async function certify(run) {
  if (!run.committed) return;
  const claims = await each(run.objects, async (event) => ({
    object: utf8(event.body.get("object")),
    hash: await commitHash("migration_certificate", await claimOf(run, event.body)),
  }));
  claims.sort((one, other) => order(one.object, other.object));
  run.recorded = run.committed.body.get("certificate");
  run.computed = await commitHash("migration_run", claims.map(({ hash }) => hash));
  run.certified = same(run.recorded, run.computed);
}

async function claimOf(run, migrated) {
  const route = migrated.has("route") ? run.routes[migrated.get("route")] : undefined;
  const started = run.body;
  const [kind, source] = entry(migrated.get("source"));
  const [, target] = entry(migrated.get("target"));
  const inputs = { seed: started.get("seed"), clock_ms: started.get("clock_ms") };
  return {
    to: route?.to ?? started.get("to"),
    from: route?.from ?? started.get("from"),
    path: route?.edges ?? run.paths.get(migrated.get("object")) ?? [],
    verdicts: migrated.get("verdicts"),
    loss_hash: migrated.get("loss"),
    object_id: migrated.get("object"),
    inputs_hash: migrated.get("reads_inputs") ? await commitHash("migration_inputs", inputs) : null,
    object_kind: kind,
    operator_id: migrated.get("operator"),
    source_hash: claimHash(kind, source),
    target_hash: claimHash(kind, target),
    contract_digest: route?.contract ?? started.get("contract") ?? null,
    migration_policy_hash: started.get("policy"),
  };
}

const entry = (state) => [...state][0];
const claimHash = (kind, state) => state.get(kind === "database" ? "rows" : "content");

// The embedded objects under the hashes of their bytes: what no event names is not looked at.
async function objectsOf(evidence) {
  const bytes = [];
  for (const text of evidence.objects) {
    try {
      bytes.push(unbase64(text));
    } catch {
      bytes.push(new Uint8Array());
    }
  }
  const names = await each(bytes, sha256);
  return new Map(names.map((name, at) => [hex(name), bytes[at]]));
}

// What a run lost, object by object, and of databases table by table, out of the lists that its events name by hash.
function lossOf(run, objects) {
  const loss = { values: 0n, objects: [], tables: new Map(), unknown: 0 };
  for (const { seq, body } of run.objects) {
    if (body.get("lost") === 0) continue;
    const lost = { seq, object: body.get("object"), values: body.get("lost"), entries: [], unknown: false };
    loss.values += BigInt(body.get("lost"));
    loss.objects.push(lost);
    const bytes = body.has("loss_list") ? objects.get(hex(body.get("loss_list"))) : undefined;
    try {
      for (const one of decode(bytes)) {
        if (one.has("tables")) for (const table of one.get("tables")) addTable(loss.tables, table);
        else lost.entries.push({ path: one.get("path"), value: one.get("value") });
      }
    } catch {
      lost.unknown = true;
      loss.unknown += 1;
    }
  }
  return loss;
}

function addTable(tables, table) {
  const name = table.get("table");
  const sum = tables.get(name) ?? { dropped: false, rows: 0, ids: 0, columns: new Map() };
  sum.dropped ||= table.get("dropped");
  sum.rows += Number(table.get("rows_gone"));
  sum.ids += Number(table.get("ids_changed"));
  const column = (name, values, dropped) => {
    const before = sum.columns.get(name) ?? { values: 0, dropped: false };
    sum.columns.set(name, { values: before.values + Number(values), dropped: before.dropped || dropped });
  };
  for (const one of table.get("dropped_columns")) column(one.get("column"), one.get("values"), true);
  for (const one of table.get("values_changed")) column(one.get("column"), one.get("rows"), false);
  tables.set(name, sum);
}

// The contracts that were frozen, with their versions and edges where their bundle is embedded.
function contractsOf(history, objects) {
  const contracts = new Map();
  for (const { broken, kind, body } of history.events) {
    if (broken || kind !== "contract.frozen") continue;
    const contract = { name: body.get("contract"), version: body.get("contract_version"), versions: [], edges: [] };
    try {
      const inside = decode(objects.get(hex(body.get("bundle")))).get("contract");
      contract.versions = inside.get("versions");
      contract.edges = inside.get("edges").map((edge) => [edge.get("from"), edge.get("to")]);
    } catch {
      contract.unknown = true;
    }
    contracts.set(hex(body.get("digest")), contract);
  }
  return contracts;
}

// Ways that runs took, by contract: from, to, and how many objects went there in how many runs.
function waysOf(runs) {
  const ways = new Map();
  for (const run of runs) {
    if (!run.committed) continue;
    const counted = new Map();
    for (const { body } of run.objects) {
      const route = body.has("route") ? run.routes[body.get("route")] : undefined;
      const contract = route?.contract ?? run.body.get("contract");
      const [from, to] = [route?.from ?? run.body.get("from"), route?.to ?? run.body.get("to")];
      const key = JSON.stringify([contract ? hex(contract) : "", from, to]);
      counted.set(key, (counted.get(key) ?? 0) + 1);
    }
    for (const [key, objects] of counted) {
      const way = ways.get(key) ?? { objects: 0, runs: 0, back: false };
      const back = run.body.get("purpose") === "rollback";
      ways.set(key, { objects: way.objects + objects, runs: way.runs + 1, back: way.back || back });
    }
  }
  return [...ways].map(([key, way]) => {
    const [contract, from, to] = JSON.parse(key);
    return { contract, from, to, ...way };
  });
}
