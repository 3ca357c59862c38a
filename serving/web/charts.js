// Building the page: elements with text in them, never markup; and one line chart.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function table(columns, rows, empty) {
  if (!rows.length) return el("p", { class: "soft", text: empty });
  const head = el("tr", {}, ...columns.map((c) => el("th", { class: c.text || c.kind ? "text" : "", text: c.name })));
  const body = rows.map((row) => el("tr", {}, ...columns.map((column, k) => cell(column, row, k))));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...body));
}

function cell(column, row, k) {
  const value = column.of(row);
  const kind = column.sign ? signClass(value) : column.kind ?? (column.text ? "text" : "");
  return el(k === 0 ? "th" : "td", { class: kind, text: value ?? "–" });
}

function signClass(text) {
  const number = Number.parseFloat(text);
  if (!number) return "";
  return number > 0 ? "good" : "bad";
}

// points: [[x, y], …] with x rising; two labels below, three beside.
export function lineChart(points, labelX, labelY, name) {
  const ys = points.map((point) => point[1]);
  const [low, high] = room(Math.min(...ys), Math.max(...ys));
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const x = (at) => (1000 * (at - first)) / Math.max(last - first, 1);
  const y = (value) => 100 - (100 * (value - low)) / (high - low);
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 1000 100"], ["preserveAspectRatio", "none"], ["role", "img"], ["aria-label", name]]) {
    svg.setAttribute(key, value);
  }
  const plot = el("div", { class: "plot" }, svg);
  for (const part of [0.1, 0.5, 0.9]) {
    const value = low + part * (high - low);
    const line = document.createElementNS(SVG, "line");
    for (const [key, at] of [["x1", 0], ["x2", 1000], ["y1", y(value)], ["y2", y(value)]]) line.setAttribute(key, at);
    svg.append(line);
    const label = el("span", { text: labelY(value) });
    label.style.top = `${y(value)}%`;
    plot.append(label);
  }
  const path = document.createElementNS(SVG, "path");
  const steps = points.map(([at, value], k) => `${k ? "L" : "M"}${x(at).toFixed(2)} ${y(value).toFixed(2)}`);
  path.setAttribute("d", steps.join(""));
  svg.append(path);
  const times = el("div", { class: "times" }, el("span", { text: labelX(first) }), el("span", { text: labelX(last) }));
  return el("div", {}, plot, times);
}

function room(low, high) {
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
  return [low - margin, high + margin];
}
