// Elements, units, and charts. Text never becomes markup, and every chart has a description in words.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 80;
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const LONG = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Sets a text if it has changed: screen readers announce live regions when they are set, and selections are lost.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const count = (value) => value.toLocaleString("en");

// At most three significant digits.
const short = (value) => (Math.abs(value) < 100 ? String(Number(value.toPrecision(3))) : count(Math.round(value)));

export function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds > 0 && seconds < 0.0009995) return `${short(seconds * 1e6)} µs`;
  if (seconds > 0 && seconds < 0.9995) return `${short(seconds * 1e3)} ms`;
  if (seconds < 60) return `${short(seconds)} s`;
  const first = LONG.findIndex(([length]) => seconds >= length);
  const [[large, name], [small, smaller]] = LONG.slice(first);
  const rest = Math.floor((seconds % large) / small);
  return `${count(Math.floor(seconds / large))} ${name}${rest ? ` ${rest} ${smaller}` : ""}`;
}

export function bytes(value) {
  let step = 0;
  while (Math.abs(value) >= 1023.5 && step < BYTE_UNITS.length - 1) [value, step] = [value / 1024, step + 1];
  return `${short(value)} ${BYTE_UNITS[step]}`;
}

export function quantity(value, unit, rate) {
  if (value === null) return "–";
  if (unit === "seconds") return duration(value);
  return (unit === "bytes" ? bytes(value) : short(value)) + (rate ? "/s" : "");
}

// Interpolates within a bucket as Prometheus does; infinite beyond the last bound, null without observations.
export function quantile(counts, bounds, share) {
  const wanted = share * counts.reduce((all, each) => all + each, 0);
  if (!wanted) return null;
  let below = 0;
  const bucket = counts.findIndex((each) => each && (below += each) >= wanted);
  if (bucket < 0 || bucket === bounds.length) return Infinity;
  const [low, high] = [bounds[bucket - 1] ?? 0, bounds[bucket]];
  return low + ((high - low) * (wanted - below + counts[bucket])) / counts[bucket];
}

// The end of a scale: 1, 2 or 5 times a power of 10, for bytes a power of 2.
function ceiling(most, unit) {
  if (!(most > 0)) return 1;
  if (unit === "bytes") return 2 ** Math.ceil(Math.log2(most));
  const decade = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((digit) => digit * decade).find((end) => end >= most * 0.9999);
}

// A path through points; a single point between gaps (null) becomes a dot.
function path(times, values, top) {
  const [first, last] = [times[0], times.at(-1)];
  const x = (time) => (((time - first) / (last - first || 1)) * WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - (value / top) * (HEIGHT - 2) - 1).toFixed(1);
  return values
    .map((value, n) => {
      if (value === null) return "";
      const point = `${x(times[n])} ${y(value)}`;
      if ((values[n - 1] ?? null) !== null) return `L${point}`;
      return `M${point}${(values[n + 1] ?? null) === null ? "h0" : ""}`;
    })
    .join("");
}

// Lines over time, each with its name and values, distinguished by dashes as well as colours.
export function picture(title, names) {
  const paths = names.map((_, n) => svg("path", { class: `line line${n}` }));
  const image = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, ...paths);
  const [top, from] = [element("span"), element("span")];
  const figures = names.map(() => [element("b"), element("span", { class: "quiet" })]);
  const list = names.map((name, n) => {
    const swatch = svg("svg", { class: "swatch", viewBox: "0 0 28 12", "aria-hidden": "true" }, svg("path", { class: `line line${n}`, d: "M2 6H26" }));
    return element("li", {}, swatch, element("span", {}, name), ...figures[n]);
  });
  const scale = element("p", { class: "axis", "aria-hidden": "true" }, top);
  const axis = element("p", { class: "axis", "aria-hidden": "true" }, from, element("span", {}, "now"));
  const node = element("div", {}, element("h3", {}, title), element("ul", { class: "lines" }, ...list), scale, image, axis);

  // `series`: for each line its values by time, the current one and a note; `unit` and `rate` apply to all.
  function draw(times, series, unit, rate) {
    const known = series.map(({ values }) => values.filter((value) => value !== null));
    const end = ceiling(Math.max(0, ...known.flat()), unit);
    const length = duration(Math.round(times.at(-1) - times[0]));
    say(top, quantity(end, unit, rate));
    say(from, `${length} ago`);
    const told = series.map(({ values, now, note }, n) => {
      paths[n].setAttribute("d", path(times, values, end));
      say(figures[n][0], quantity(now, unit, rate));
      say(figures[n][1], note);
      if (!known[n].length) return `${names[n]}: nothing yet`;
      const [least, most] = [Math.min(...known[n]), Math.max(...known[n])];
      return `${names[n]}: now ${quantity(now, unit, rate)}, between ${quantity(least, unit, rate)} and ${quantity(most, unit, rate)}`;
    });
    image.setAttribute("aria-label", `${title} over the last ${length}. ${told.join("; ")}.`);
  }
  return { node, draw };
}

// A table whose rows are updated in place, so that readers do not lose their position.
export function table(caption, headings, kind = "") {
  const cells = headings.map((heading) => element("th", { scope: "col" }, heading));
  const body = element("tbody");
  const title = element("caption", {}, caption);
  const node = element("div", {}, element("table", { class: kind }, title, element("thead", {}, element("tr", {}, ...cells)), body));

  // Each row is its cells, the first a heading; a share with its length, both up to 1, is a bar. `bad` ones are highlighted.
  function fill(rows, bad = () => false) {
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((values, n) => {
      const row = body.rows[n] ?? body.insertRow();
      row.className = bad(values) ? "bad" : "";
      values.forEach((value, m) => {
        const cell = row.cells[m] ?? row.appendChild(element(m ? "td" : "th", m ? {} : { scope: "row" }));
        if (typeof value === "string") say(cell, value);
        else bar(cell, ...value);
      });
    });
  }
  return { node, fill, title, headings: cells };
}

function bar(cell, share, length) {
  if (!cell.firstChild) {
    const image = svg("svg", { class: "share", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { height: 12 }));
    cell.append(image, element("span", { class: "unseen" }));
  }
  cell.querySelector("rect").setAttribute("width", (length * 100).toFixed(2));
  say(cell.lastChild, `${short(share * 100)} %`);
}
