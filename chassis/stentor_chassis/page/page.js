// Draws the recent history of the counters of the control process. The service declares what to draw.

import { bytes, count, duration, element, picture, quantile, quantity, say, table } from "./drawing.js";

const NOW_SECONDS = 10; // what "now" means for a rate
const PATIENCE_MS = 5000;
const $ = (name) => document.getElementById(name);

let started = null; // when the service of these snapshots started
let snapshots = []; // [age in seconds, column, column, …], the oldest first
let next = 0; // the number of the next snapshot to ask for
let draw = () => {};
let heard = new Date(); // when the service last answered
let paused = false;
let waiting = 0; // the timer of the next request; 0 during one

// Returns null if there is no usable answer.
async function ask(from) {
  try {
    const response = await fetch(`recent?from=${from}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

async function update() {
  let answer = await ask(next);
  if (answer && next && answer.started_timestamp_seconds !== started) answer = await ask(0); // a restarted service numbers its snapshots from 0
  if (!answer) return null;
  if (answer.started_timestamp_seconds !== started) {
    started = answer.started_timestamp_seconds;
    snapshots = [];
    draw = build(answer.view);
  }
  heard = new Date();
  next = answer.next;
  snapshots.push(...answer.snapshots);
  const oldest = snapshots.at(-1)[0] - answer.window_seconds - answer.interval_seconds / 2;
  snapshots = snapshots.filter(([age]) => age >= oldest);
  return answer;
}

const sum = (snapshot, columns) => columns.reduce((all, column) => all + snapshot[column + 1], 0);
const range = (first, length) => Array.from({ length }, (_, n) => first + n);
const growth = (before, after, columns) => columns.map((column) => after[column + 1] - before[column + 1]);

// Pairs each snapshot with the one some seconds before it; the first has none.
function pairs() {
  let back = 0;
  return snapshots.map((snapshot, n) => {
    while (back < n - 1 && snapshot[0] - snapshots[back][0] > NOW_SECONDS + 0.5) back += 1;
    return [n ? snapshots[back] : null, snapshot];
  });
}

function lineChart({ title, lines }) {
  const { node, draw: show } = picture(title, lines.map(({ name }) => name));
  const [{ unit, rate }] = lines;
  return [node, () => {
    const series = lines.map(({ columns, scale }) => {
      const total = sum(snapshots.at(-1), columns) * scale;
      const values = pairs().map(([before, after]) => {
        if (!rate) return sum(after, columns) * scale;
        return before && (sum(after, columns) - sum(before, columns)) / (after[0] - before[0]);
      });
      const exact = unit === "bytes" ? `${count(total)} B (${bytes(total)})` : count(total);
      return { values, now: values.at(-1), note: rate ? `${exact} in total` : "" };
    });
    show(snapshots.map(([age]) => age), series, unit, rate);
  }];
}

function distribution({ title, help, column, bounds }) {
  const columns = range(column, bounds.length + 1);
  const kinds = [["p50", 0.5], ["p90", 0.9], ["p99", 0.99], ["max", 1]];
  const figures = kinds.map(([name]) => [name, element("dd")]);
  say($("times"), title);
  $("percentiles").replaceChildren(...figures.map(([name, node]) => element("div", {}, element("dt", {}, name), node)));
  const lines = picture("p50 and p99 over time", ["p50", "p99"]);
  const bars = table("", ["", "count", "share"], "bars");
  say(bars.headings[0], "at most");
  $("spread").replaceChildren(lines.node, bars.node);
  $("distribution").hidden = false;
  return () => {
    const counts = growth(snapshots[0], snapshots.at(-1), columns);
    const all = counts.reduce((total, each) => total + each, 0);
    const known = (seconds) => (seconds === Infinity ? bounds.at(-1) : seconds); // as Prometheus does
    const limit = (seconds) => (seconds === Infinity ? `over ${duration(bounds.at(-1))}` : duration(seconds));
    figures.forEach(([name, node], n) => {
      const value = quantile(counts, bounds, kinds[n][1]);
      say(node, (name === "max" && value !== null && value !== Infinity ? "≤ " : "") + limit(value));
    });
    say($("help"), `${help} Here: ${count(all)} of ${age()}. Percentiles are estimated within the bars of the histogram.`);
    const between = pairs().map(([before, after]) => before && growth(before, after, columns));
    const series = [0.5, 0.99].map((share) => {
      const values = between.map((each) => each && known(quantile(each, bounds, share)));
      return { values, now: values.at(-1), note: `last ${NOW_SECONDS} s` };
    });
    lines.draw(snapshots.map(([each]) => each), series, "seconds", false);
    const [first, last] = [counts.findIndex(Boolean), counts.findLastIndex(Boolean)];
    say(bars.title, `Histogram of ${age()}`);
    const shown = all ? range(first, last - first + 1) : [];
    const most = Math.max(...counts);
    const rows = shown.map((n) => [limit(bounds[n] ?? Infinity), count(counts[n]), [counts[n] / all, counts[n] / most]]);
    bars.fill(rows.length ? rows : [["none", "0", ""]]);
  };
}

function tally({ title, label, column, values, failures }) {
  const { node, fill, headings } = table(title, [label, "", "in all"]);
  const columns = range(column, values.length);
  return [node, () => {
    const fresh = growth(snapshots[0], snapshots.at(-1), columns);
    say(headings[1], age());
    const rows = values.map((value, n) => [value, count(fresh[n]), snapshots.at(-1)[columns[n] + 1]]).filter(([, , all]) => all);
    const marked = rows.map(([value, some, all]) => [(failures.includes(value) ? "▲ " : "") + value, some, count(all)]);
    fill(marked.length ? marked : [["none", "0", "0"]], ([value]) => value.startsWith("▲"));
  }];
}

// Failures in the last seconds.
function troubles(tables) {
  const [before, now] = pairs().at(-1);
  const told = ({ title, column, values, failures }) => {
    const fresh = before ? growth(before, now, range(column, values.length)) : [];
    const grown = values.filter((value, n) => fresh[n] > 0 && failures.includes(value));
    return grown.length ? [`${title.split(",")[0]}: ${grown.join(", ")}.`] : [];
  };
  return tables.flatMap(told).join(" ");
}

const age = () => `the last ${duration(Math.round(snapshots.at(-1)[0] - snapshots[0][0]))}`;

// Builds the page for one run of the service; returns a function that updates it.
function build(view) {
  const charts = view.charts.map(lineChart);
  const tables = view.tables.map(tally);
  const [replacedNode, replaced] = tally(view.replaced);
  const workers = table("Processes", ["worker", "process id", "state"]);
  const config = table("In force since the start", ["option", "value"], "options");
  $("charts").replaceChildren(...charts.map(([node]) => node));
  $("tables").replaceChildren(...tables.map(([node]) => node));
  $("workers").replaceChildren(workers.node, replacedNode);
  $("config").replaceChildren(config.node);
  const spread = view.distribution ? distribution(view.distribution) : () => {};
  document.querySelector("main").hidden = false;
  return (answer) => {
    for (const node of document.querySelectorAll(".window")) say(node, age());
    for (const [, update] of [...charts, ...tables]) update();
    spread();
    replaced();
    workers.fill(answer.workers.map(({ worker, pid, state }) => [String(worker), String(pid), state]));
    config.fill(options(answer.config));
    const where = answer.addresses.length ? `, listening on ${answer.addresses.join(", ")}` : "";
    say($("about"), `Version ${answer.version}, up ${duration(Math.floor(answer.uptime_seconds))}${where}`);
    const trouble = troubles([...view.tables, view.replaced]);
    say($("trouble"), trouble && `▲ Trouble in the last ${NOW_SECONDS} s. ${trouble}`);
    const faults = answer.config.fault ?? [];
    say($("faults"), faults.length ? `Faults are injected: ${faults.join(", ")}` : "");
    $("faults").hidden = !faults.length;
  };
}

// A configuration as rows, without nesting; numbers get the unit in their name.
function options(config) {
  const known = Object.entries(config).flatMap(([key, value]) => (isGroup(value) ? Object.entries(value) : [[key, value]]));
  const named = known.map(([key, value]) => [key.replace(/_seconds$/, "").replaceAll("_", " "), option(key, value)]);
  const unset = named.filter(([, value]) => !value).map(([name]) => name);
  return [...named.filter(([, value]) => value), ...(unset.length ? [["not set, or 0", unset.join(", ")]] : [])];
}

const isGroup = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function option(key, value) {
  if (value === null || value === 0) return ""; // 0 mostly disables something
  if (Array.isArray(value)) return value.map((each) => option(key, each)).join(", ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (key.endsWith("_seconds")) return duration(value);
  return /(^|_)(bytes|sizes?)$/.test(key) ? bytes(value) : count(value);
}

function tell(state, text, kind) {
  const title = `${document.querySelector("h1").textContent}: ${state}`;
  if (document.title !== title) document.title = title;
  say($("state"), text);
  $("state").className = kind;
}

async function refresh() {
  const answer = await update();
  if (paused) return; // Pause was pressed during the request
  if (!answer) {
    const time = heard.toLocaleTimeString("en-GB");
    tell("not reachable", `✗ Not reachable since ${time}. Showing the last known values; retrying.`, "bad");
    return;
  }
  draw(answer);
  const state = answer.state === "ready" && !answer.ready ? "not ready" : answer.state;
  tell(state, `${answer.ready ? "✓" : "▲"} ${state[0].toUpperCase()}${state.slice(1)}`, answer.ready ? "good" : "");
}

async function follow() {
  waiting = 0;
  try {
    if (!paused) await refresh();
  } finally {
    waiting = setTimeout(follow, matchMedia("(prefers-reduced-motion: reduce)").matches ? 10000 : 2000);
  }
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  say($("pause"), paused ? "Resume" : "Pause");
  if (paused) {
    tell("paused", `‖ Paused at ${heard.toLocaleTimeString("en-GB")}`, "");
  } else if (waiting) {
    clearTimeout(waiting);
    follow();
  }
});
$("pause").hidden = false;
follow();
