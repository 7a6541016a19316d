// A TensorFlow Serving server, spoken to in the row form of its REST interface.

const SECONDS = 30; // an answer may take; the server's own limit

/** The server answered that it will not; `message` has its own words. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Nothing answered. */
export class NoAnswer extends Error {}

export class Server {
  constructor(url) {
    this.url = url.replace(/\/+$/, "");
  }

  /** Returns the state of every version of a model. */
  async versions(model) {
    return (await this.#ask(pathOf(model))).model_version_status;
  }

  /** Returns {name: {inputs, outputs}} of a model's signatures. */
  async signatures(model) {
    const answer = await this.#ask(`${pathOf(model)}/metadata`);
    return answer.metadata.signature_def.signature_def;
  }

  /** Returns the predictions for instances, each an object by input. */
  async predict(model, signature, instances) {
    // As plain text, which is all the same to the server: for JSON the browser
    // would ask for leave (a CORS preflight) before every request.
    const body = JSON.stringify({signature_name: signature, instances});
    const options = {method: "POST", body};
    return (await this.#ask(`${pathOf(model)}:predict`, options)).predictions;
  }

  async #ask(path, options = {}) {
    let status, text;
    try {
      const signal = AbortSignal.timeout(SECONDS * 1000);
      const answer = await fetch(this.url + path, {...options, signal});
      [status, text] = [answer.status, await answer.text()];
    } catch (error) {
      throw new NoAnswer(error.message);
    }
    return read(status, text);
  }
}

function pathOf(model) {
  return `/v1/models/${encodeURIComponent(model)}`;
}

function read(status, text) {
  let value;
  try {
    value = parse(text);
  } catch {
    throw new Refusal(`It answered ${status}, but not in JSON.`, status);
  }
  if (status !== 200) {
    const words = String(value.error ?? text).split("\n")[0].slice(0, 300);
    throw new Refusal(`The server answered ${status}: ${words}`, status);
  }
  return value;
}

// NaN and Infinity, which JSON lacks and the server writes; or a whole string,
// which may hold these words as well.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)/g;
const PLAIN = {
  "NaN": "null", "-NaN": "null", "Infinity": "1e999", "-Infinity": "-1e999",
};

/** Reads JSON as the server writes it; NaN becomes null. */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(text.replace(TOKENS, (found) => PLAIN[found] ?? found));
  }
}
