// The order of things: can this browser verify at all; is what is embedded what was signed; is it what the reader knows.

async function main() {
  const lacking = await missing();
  if (lacking !== null) {
    verdict("cannot", "Nothing was verified", `This browser cannot do ${lacking}. Open the file in Chromium 137, Firefox 129, Safari 17 or a later one.`);
    return;
  }
  const evidence = parseEvidence(section("evidence").textContent);
  const history = await verify(evidence, (what, done, all) => progress(`${done} of ${all} ${what}`));
  const good = goodUpTo(history);
  const whole = history.events.slice(0, good);
  // What no good head covers is not told as if it had happened.
  const runs = runsOf({ events: whole });
  const objects = await objectsOf(evidence);
  for (const run of runs) {
    await certify(run);
    run.loss = lossOf(run, objects);
  }
  showIdentity(history, good);
  showFaults(history);
  showChecked(history, good, runs, evidence);
  showRuns(runs, whole, history.events.length);
  showWays(waysOf(runs), contractsOf({ events: whole }, objects));
  showLoss(runs);
  showKeys(history);
  new Events(history, good).show();
  for (const part of document.querySelectorAll("[data-after]")) part.hidden = false;
  await judge(history, good, runs);
  section("known").addEventListener("input", () => judge(history, good, runs));
}

async function judge(history, good, runs) {
  const { faults, events } = history;
  const told = section("known-told");
  const uncertified = runs.find((run) => run.committed && !run.certified);
  const sentence = (text) => text[0].toUpperCase() + text.slice(1);
  if (faults.length > 0) {
    told.replaceChildren();
    const [first] = faults;
    verdict("damaged", `${faultPlace(first)} is wrong`, `${sentence(first.why)}. The first ${count(good, "event")} are as they were signed; nothing after them is to be believed.`);
    return;
  }
  if (uncertified) {
    verdict("damaged", `Event ${uncertified.committed.seq} is wrong`, "The certificate that it records does not follow from the events of its run");
    return;
  }
  const found = await compare(history, section("known").value);
  told.replaceChildren(...found.told.map((text) => el("li", {}, text)));
  if (found.kind === "differs") verdict("differs", "This is not what you know", "The file is consistent in itself, and contradicts what you have from elsewhere.");
  else if (found.kind === "matches") {
    const rest = events.length - found.upTo;
    verdict("matches", `Complete up to event ${found.upTo - 1}`, `Everything is as it was signed, and nothing is missing among the first ${count(found.upTo, "event")}${rest > 0 ? `; ${count(rest, "event")} behind them are signed by the same ledger` : ""}.`);
  } else verdict("consistent", "Internally consistent only", "Everything is as it was signed. Whether it is the ledger that you mean, and all of it, shows when you paste below what you know of it from elsewhere.");
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

main().catch((error) => verdict("damaged", "The file could not be read", `${error.message}. Nothing of it is to be believed.`));
