// Where one stands in the latent space, and who wants to know of it.

import {complain} from "./elements.js";
import {Refusal} from "./server.js";

export class Explorer {
  #listeners = [];

  /** `say` tells, politely, what was done. */
  constructor(model, requests, say) {
    Object.assign(this, {model, card: model.card, requests, say});
    this.place = this.origin();
    this.example = null; // x, of which a mask model sees a part
    this.seen = "nothing";
  }

  /** Returns the place where everything is 0. */
  origin() {
    const z = new Array(this.card.latent_dim).fill(0);
    const hasLabel = this.model.conditions.includes("label");
    const label = hasLabel ? 0 : null;
    return {z, label, seed: 0, a: null, b: null, t: 0};
  }

  /** Calls `listener(changed names, x)` after each change; x may be null. */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** Moves to another place; `x` is what is there, if that is known. */
  change(part, x = null) {
    const {example = this.example, seen = this.seen, ...place} = part;
    Object.assign(this, {example, seen});
    this.place = {...this.place, ...place};
    for (const listener of this.#listeners) listener(Object.keys(part), x);
  }

  /** Returns all that a signature may ask for beside z, x and seed. */
  conditions() {
    const [height, width, channels] = this.card.event_shape;
    const plane = (valueAt, size) => Array.from({length: height}, (_, row) =>
      Array.from({length: width}, (_, column) =>
        new Array(size).fill(valueAt(row, column))));
    const isSeen = SEEN[this.seen];
    return {
      label: this.place.label ?? undefined,
      ...this.card.is_image && {
        image: this.example ?? plane(() => 0, channels),
        mask: plane((row, column) => Number(
          isSeen((row + 0.5) / height, (column + 0.5) / width)), 1),
      },
    };
  }

  /** Returns x for each z, or part of a place, as rows of `decode`. */
  async decode(rows) {
    const conditions = this.conditions();
    const answers = await this.model.call(
      "decode", rows.map((row) => ({...conditions, ...row})));
    return answers.map(({x}) => x);
  }

  /** Runs a job once it is its turn; a refusal is told at `errorId`. */
  ask(kind, errorId, job) {
    this.requests.newest(kind, async () => {
      try {
        await job();
        complain(errorId);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        complain(errorId, error.message);
      }
    });
  }
}

// Whether a mask model sees the point (down, right), each from 0 to 1.
const SEEN = {
  nothing: () => false,
  left: (down, right) => right < 0.5,
  right: (down, right) => right > 0.5,
  top: (down) => down < 0.5,
  bottom: (down) => down > 0.5,
  all: () => true,
};
