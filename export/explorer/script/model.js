// One model of the server: what it is, and its signatures as functions.

import {Refusal} from "./server.js";

const DEFAULTS = ["vae", "decoder"];
const UNKNOWN_BATCH = 8; // rows in a request to a model that says no limit

/** Opens the model of that name; of no name: the first that is there. */
export async function openModel(server, name) {
  const names = name ? [name] : DEFAULTS;
  for (const [index, candidate] of names.entries()) {
    try {
      return await open(server, candidate);
    } catch (error) {
      const isMissing = error instanceof Refusal && error.status === 404;
      if (!isMissing || index === names.length - 1) throw error;
    }
  }
}

async function open(server, name) {
  const versions = await server.versions(name);
  const served = versions.find(({state}) => state === "AVAILABLE");
  if (!served) throw new Refusal(`No version of ${name} can be asked: ` +
    versions.map(inWords).join("; "), 404);
  const model = new Model(server, name, await server.signatures(name));
  model.version = served.version;
  model.card = await model.describe();
  return model;
}

function inWords({version, state, status}) {
  return `version ${version} is ${state} ${status.error_message}`.trim();
}

export class Model {
  constructor(server, name, signatures) {
    Object.assign(this, {server, name, signatures});
    if (!this.has("decode")) throw new Refusal(`${name} has no signature ` +
      `decode, only ${Object.keys(signatures).sort().join(", ")}.`, 400);
    this.conditions = Object.keys(signatures.decode.inputs);
  }

  has(signature) {
    return signature in this.signatures;
  }

  /** Returns what the model says of itself, or what its shapes let guess. */
  async describe() {
    if (!this.has("describe")) return this.#guessed();
    const [answer] = await this.call("describe", [{row: 0}]);
    return {...JSON.parse(answer.card), isDescribed: true};
  }

  /**
   * Returns an object of outputs for each row of values.
   *
   * A row may hold more than the signature takes, but not less.
   */
  async call(signature, rows) {
    const {inputs, outputs} = this.signatures[signature];
    const instances = rows.map((row) => pick(row, Object.keys(inputs)));
    const most = this.card?.max_batch_size ?? UNKNOWN_BATCH;
    const answers = [];
    for (let start = 0; start < instances.length; start += most) {
      const part = instances.slice(start, start + most);
      answers.push(...await this.server.predict(this.name, signature, part));
    }
    const names = Object.keys(outputs);
    if (names.length > 1) return answers;
    return answers.map((value) => ({[names[0]]: value}));
  }

  #guessed() {
    const {inputs, outputs} = this.signatures.decode;
    const [, latent_dim] = sizes(inputs.z);
    const [, ...event_shape] = sizes(outputs.x);
    if (!(latent_dim > 0 && event_shape.every((size) => size > 0))) {
      throw new Refusal(`${this.name} does not say how many latents it has, ` +
        "or how large x is.", 400);
    }
    return {
      name: this.name, event_shape, latent_dim, isDescribed: false,
      is_image: event_shape.length === 3, value_range: [0, 1],
      num_classes: this.conditions.includes("label") ? null : 0,
      kl_per_dim: null, max_batch_size: UNKNOWN_BATCH,
      latent_order: Array.from({length: latent_dim}, (_, index) => index),
    };
  }
}

function sizes(tensor) {
  return (tensor?.tensor_shape.dim ?? []).map(({size}) => Number(size));
}

function pick(row, names) {
  const missing = names.filter((name) => row[name] === undefined);
  if (missing.length) throw new Refusal("The model also asks for " +
    `${missing.join(", ")}, which this page does not know.`, 400);
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}
