// The page of one desk: reads on every new cycle, writes nothing but a halt.
import { el, lineChart, table } from "/web/charts.js";
import { ask, freshKey, listen, read } from "/web/stream.js";

const KEY = "triplegain.token";
const REFRESH_MS = 2000;
const IDLE_MS = 10000;
// The server says something every 15 seconds: a line that is quieter is dead.
const SILENT_MS = 40000;
const RETRY_MS = [500, 1000, 2000, 5000];
const STATES = { ACTIVE: "good", REDUCE_ONLY: "warn", HALTED: "bad" };

const at = (id) => document.getElementById(id);
const show = (id, ...children) => at(id).replaceChildren(...children);
const token = () => sessionStorage.getItem(KEY);

let note = null;
let cameMs = 0;
let aliveMs = 0;
let stream = null;
let refreshing = false;
let stale = false;
let dueMs = 0;

// ---- words

const number = (text, digits = 2) =>
  text == null ? null : Number(text).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const significant = (text) => (text == null ? null : Number(text).toLocaleString("en", { maximumSignificantDigits: 6 }));
const signed = (value) => (value == null ? null : `${value > 0 ? "+" : ""}${value.toFixed(2)}`);
const percent = (frac) => `${(100 * frac).toFixed(0)} %`;
const time = (ns) => new Date(ns / 1e6).toISOString().replace("T", " ").slice(0, 16);
const ago = (ms) => {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s ago`;
  if (s < 7200) return `${Math.round(s / 60)} min ago`;
  return s < 172800 ? `${Math.round(s / 3600)} hours ago` : `${Math.round(s / 86400)} days ago`;
};
const age = () => `decided ${ago(Date.now() - note.decided_ns / 1e6)}`;
const words = (text) => text.replaceAll("_", " ").toLowerCase();

// ---- parts

function drawLive(kind, sentence) {
  at("live").textContent = sentence;
  at("live").className = `pill ${kind}`;
}

// A desk that has ended says nothing any more: what is shown is its last word, and must not look like news.
function drawState() {
  if (note.running) drawLive("good", "live");
  else drawLive("bad", "desk not running");
  at("run").textContent = note.run;
  at("whom").textContent = note.run;
  const state = at("state");
  state.hidden = false;
  state.textContent = words(note.trading_state);
  state.className = `pill ${STATES[note.trading_state] ?? ""}`;
}

function drawHeadline(portfolio) {
  const opened = Number(portfolio.equity_open);
  const change = Number(note.equity) - opened;
  const frac = opened ? change / opened : 0;
  const regime = note.regime;
  const card = (name, value, small, kind = "") =>
    el("div", {}, el("span", { text: name }), el("strong", { class: kind, text: value }), el("small", { text: small }));
  show(
    "headline",
    card("Equity", number(note.equity), portfolio.reporting_currency),
    card("Since the opening", `${change > 0 ? "+" : ""}${number(change)}`, `${signed(100 * frac)} %`, change < 0 ? "bad" : "good"),
    card("Regime", words(regime.name), regime.probability == null ? "" : `probability ${percent(regime.probability)}`),
    card("Cycle", note.cycle.toLocaleString("en"), `${time(note.at_ns)} UTC`),
  );
  at("headline").lastChild.append(el("small", { id: "decided", text: age() }));
}

function drawEquity(portfolio) {
  const points = portfolio.curve.map(([ns, equity]) => [ns / 1e6, Number(equity)]);
  if (points.length < 2) return show("equity", el("p", { class: "soft", text: "the curve begins with the second cycle" }));
  const day = (ms) => new Date(ms).toISOString().slice(0, 10);
  const values = points.map((point) => point[1]);
  const digits = Math.max(...values) - Math.min(...values) > 20 ? 0 : 2;
  return show("equity", lineChart(points, day, (value) => number(value, digits), "equity over time"));
}

function drawSignals(board) {
  const columns = [
    { name: "Instrument", of: (s) => s.instrument },
    { name: "Target", of: (s) => signed(s.exposure), sign: true },
    { name: "Confidence", of: (s) => (s.confidence == null ? null : percent(s.confidence)) },
    { name: "Mid", of: (s) => significant(s.mid) },
    { name: "Agents", of: (s) => votes(s.agents), text: true },
  ];
  show("signals", table(columns, board.signals, "no instruments"));
}

function votes(agents) {
  const count = (test) => agents.filter((a) => a.direction != null && test(a.direction)).length;
  const parts = [[count((d) => d > 0), "long"], [count((d) => d < 0), "short"], [count((d) => d === 0), "flat"]];
  const said = parts.filter(([n]) => n).map(([n, word]) => `${n} ${word}`);
  const silent = agents.filter((a) => a.direction == null).length;
  return [...said, ...(silent ? [`${silent} silent`] : [])].join(", ");
}

function drawPositions(portfolio) {
  const columns = [
    { name: "Instrument", of: (p) => p.symbol },
    { name: "Quantity", of: (p) => significant(p.quantity) },
    { name: "Unrealised", of: (p) => significant(p.unrealised), sign: true },
    { name: "Entry", of: (p) => significant(p.average_price) },
    { name: "Mark", of: (p) => significant(p.mark) },
    { name: "Realised", of: (p) => significant(p.realised), sign: true },
  ];
  show("positions", table(columns, portfolio.positions, "flat: nothing is held"));
}

function drawAgents(status) {
  const rows = status.agents.filter((a) => a.weight != null);
  const known = rows.length ? rows : Object.entries(note.weights).map(([name, weight]) => ({ name, weight, health: "", opinion: note.absent[name] ?? "" }));
  const sorted = [...known].sort((a, b) => b.weight - a.weight || a.name.localeCompare(b.name));
  show("agents", el("ul", { class: "agents" }, ...sorted.map(agentCard)));
}

function agentCard(agent) {
  const meter = el("meter", { min: 0, max: 1, value: agent.weight, "aria-label": `weight of ${agent.name}` });
  const more = [note.running ? agent.health : "not running", agent.deaths ? `died ${agent.deaths}×` : "", agent.model ?? ""].filter(Boolean).join(" · ");
  return el(
    "li", {},
    el("div", { class: "name" }, el("span", { text: agent.name }), el("span", { text: percent(agent.weight) })),
    meter,
    ...[agent.opinion, more].filter(Boolean).map((text) => el("p", { text })),
  );
}

// A decision that stands open stays open, and is not read again.
function drawDecisions(rows) {
  const open = new Map([...at("decisions").querySelectorAll("details[open]")].map((d) => [d.dataset.cycle, d]));
  show("decisions", ...rows.map((row) => open.get(String(row.cycle)) ?? decisionLine(row)));
}

function decisionLine(row) {
  const did = [
    ...row.approved.map((i) => `${i.leg} ${i.side} ${significant(i.quantity)} ${i.symbol}`),
    ...row.denied.map((d) => `${d.symbol} denied: ${words(d.code)}`),
  ];
  const summary = el("summary", {}, el("strong", { text: `#${row.cycle} ` }), el("span", { class: "soft", text: `${time(row.at_ns)} · ${words(row.regime)} · ` }), did.join("; ") || "nothing to do");
  const line = el("details", { "data-cycle": row.cycle }, summary);
  line.addEventListener("toggle", () => explain(line, row.cycle), { once: true });
  return line;
}

async function explain(line, cycle) {
  try {
    const told = await read(`/v1/decisions/${cycle}`, token());
    const spoken = told.opinions.filter((o) => o.abstained == null);
    const columns = [
      { name: "Instrument", of: (o) => o.symbol },
      { name: "Agent", of: (o) => o.agent, text: true },
      { name: "Direction", of: (o) => signed(o.direction), sign: true },
      { name: "Confidence", of: (o) => (o.confidence == null ? null : percent(o.confidence)) },
      { name: "Evidence", of: (o) => evidence(o.evidence), kind: "evidence" },
    ];
    const verdicts = told.verdicts.map((v) => el("p", { class: "note", text: `${v.symbol}: ${words(v.verdict)}, ${v.detail}` }));
    line.append(el("div", { class: "wide" }, table(columns, spoken, "nobody had an opinion")), ...verdicts);
  } catch (error) {
    line.append(el("p", { class: "bad", text: error.message }));
  }
}

const evidence = (scores) => Object.entries(scores).map(([name, score]) => `${words(name)} ${signed(score) ?? "unknown"}`).join(", ");

// ---- reading

async function refresh() {
  if (refreshing) return;
  refreshing = true;
  try {
    if (!note) await read("/v1/signals", token()); // it refuses, and says why there is nothing
    if (!note) return;
    const paths = ["/v1/portfolio", "/v1/signals", "/v1/agents", "/v1/decisions?limit=12"];
    const [portfolio, board, status, decisions] = await Promise.all(paths.map((path) => read(path, token())));
    drawHeadline(portfolio);
    drawEquity(portfolio);
    drawSignals(board);
    drawPositions(portfolio);
    drawAgents(status);
    drawDecisions(decisions);
    drawState();
    tell(portfolio.trading_state === "ACTIVE" || !portfolio.reason ? "" : `${words(portfolio.trading_state)} by ${portfolio.actor}: ${portfolio.reason}`);
  } catch (error) {
    if (error.status === 401) leave(error.message);
    else {
      drawLive("bad", "no answer");
      tell(error.message);
    }
  } finally {
    refreshing = false;
  }
}

function tell(sentence) {
  at("told").hidden = !sentence;
  at("told").textContent = sentence;
}

function heard(news) {
  note = news;
  cameMs = Date.now();
  drawState();
  stale = true;
  tick();
}

// However fast the desk decides, the page reads the rest at most every two seconds.
function tick() {
  for (const place of document.querySelectorAll("#age, #decided")) place.textContent = note ? age() : "";
  if (at("desk").hidden || Date.now() < dueMs + (stale ? 0 : IDLE_MS)) return;
  stale = false;
  dueMs = Date.now() + REFRESH_MS;
  refresh();
}

async function follow() {
  stream?.abort();
  const mine = new AbortController();
  stream = mine;
  for (let tries = 0; !mine.signal.aborted; tries += 1) {
    const before = cameMs;
    const line = new AbortController();
    const end = () => line.abort();
    mine.signal.addEventListener("abort", end);
    aliveMs = Date.now();
    const watch = setInterval(() => Date.now() - aliveMs > SILENT_MS && line.abort(), 1000);
    try {
      await listen(token(), heard, line.signal, () => { aliveMs = Date.now(); });
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error.status === 401 || error.status === 403) return leave(error.message);
    } finally {
      clearInterval(watch);
      mine.signal.removeEventListener("abort", end);
    }
    if (cameMs !== before) tries = 0;
    drawLive("warn", "connecting again");
    await new Promise((done) => setTimeout(done, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]));
  }
}

function enter() {
  at("door").hidden = true;
  at("desk").hidden = false;
  follow();
}

function leave(why) {
  stream?.abort();
  sessionStorage.removeItem(KEY);
  at("desk").hidden = true;
  at("door").hidden = false;
  at("refused").hidden = !why;
  at("refused").textContent = why;
  at("token").focus();
}

// ---- a person's word

function openHalt() {
  at("stopping").reset();
  at("unheard").hidden = true;
  at("stopping").dataset.key = freshKey();
  at("stop").showModal();
}

async function halt(event) {
  event.preventDefault();
  const button = at("stopping").querySelector("[type=submit]");
  button.disabled = true;
  try {
    await ask("/v1/halt", at("trade").value.trim(), {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": at("stopping").dataset.key },
      body: JSON.stringify({ reason: at("why").value }),
    });
    at("stop").close();
  } catch (error) {
    at("unheard").hidden = false;
    at("unheard").textContent = `${error.message}. Or at the machine: tg halt`;
    at("stopping").dataset.key = freshKey();
  } finally {
    button.disabled = false;
    at("trade").value = "";
  }
}

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("token").value.trim());
  at("token").value = "";
  enter();
});
at("halt").addEventListener("click", openHalt);
at("back").addEventListener("click", () => at("stop").close());
at("stopping").addEventListener("submit", halt);
setInterval(tick, 1000);

if (token()) enter();
else leave("");
