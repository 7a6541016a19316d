// What is asked of the server: one request at a time, and of each kind only
// the newest, as whoever moves a slider wants to see where it is now.

import {NoAnswer} from "./server.js";

const RETRY_MS = 2000;

export class Requests {
  #waiting = new Map();
  #isRunning = false;

  /** `ping` asks whether the server is there; the others are told. */
  constructor({ping, onBusy, onLost, onFound}) {
    Object.assign(this, {ping, onBusy, onLost, onFound});
  }

  /** Runs an asynchronous job as soon as no other runs, if still the newest. */
  newest(kind, job) {
    this.#waiting.set(kind, job);
    if (!this.#isRunning) this.#run();
  }

  async #run() {
    this.onBusy(this.#isRunning = true);
    try {
      while (this.#waiting.size) await this.#runOne();
    } finally { // a fault in one job must not keep back those to come
      this.onBusy(this.#isRunning = false);
    }
  }

  async #runOne() {
    // The picture first: it is what everybody looks at.
    const waiting = this.#waiting;
    const kind = waiting.has("picture") ? "picture" : [...waiting.keys()][0];
    const job = waiting.get(kind);
    waiting.delete(kind);
    try {
      await job();
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (!waiting.has(kind)) waiting.set(kind, job);
      await this.#untilFound();
    }
  }

  async #untilFound() {
    this.onLost();
    for (;;) {
      await new Promise((done) => setTimeout(done, RETRY_MS));
      try {
        await this.ping();
        return this.onFound();
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
    }
  }
}
