// Asking the API: every call carries the token, every refusal is an Error with the API's own words.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.whatToDo = problem.what_to_do;
  }
}

const UNKNOWN = { code: "unknown", message: "the server gave no usable answer", what_to_do: "try again" };

export async function ask(path, token, options = {}) {
  const answer = await fetch(path, {
    ...options,
    cache: "no-store",
    headers: { Authorization: `Bearer ${token}`, ...options.headers },
  });
  if (!answer.ok) throw new Refused(answer.status, await problemOf(answer));
  return answer;
}

export async function read(path, token) {
  return (await ask(path, token)).json();
}

// A number nobody has used before; works where crypto.randomUUID does not.
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Calls onNote for every cycle and onAlive for whatever comes, until the stream ends or the reader aborts.
export async function listen(token, onNote, signal, onAlive) {
  const answer = await ask("/v1/stream", token, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onAlive();
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const line = event.split("\n").find((one) => one.startsWith("data: "));
      if (line) onNote(JSON.parse(line.slice(6)));
    }
  }
}

async function problemOf(answer) {
  try {
    return (await answer.json()).error ?? UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}
