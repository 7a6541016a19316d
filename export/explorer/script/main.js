// Opens the model that the address or the page names, and shows it.

import {addAnchors} from "./anchors.js";
import {addClasses} from "./classes.js";
import {addCompletions} from "./completions.js";
import {complain, find} from "./elements.js";
import {Explorer} from "./explorer.js";
import {fromFragment, mismatch, toFragment} from "./link.js";
import {openModel} from "./model.js";
import {addNeighbours} from "./neighbours.js";
import {Requests} from "./requests.js";
import {Refusal, Server} from "./server.js";
import {addSliders} from "./sliders.js";
import {addDraws, addLink, addPicture} from "./stage.js";
import {addUpload} from "./upload.js";

const PANELS = [
  addPicture, addDraws, addLink, addSliders, addAnchors, addNeighbours,
  addUpload, addCompletions, addClasses,
];

function told(name) {
  return document.querySelector(`meta[name="${name}"]`).content;
}

function say(words) {
  find("said").textContent = words;
}

function tellLost({url}) {
  const where = url ? `from ${url}: the server does not run, cannot be ` +
    "reached, or was not started with --rest_api_enable_cors_support, " +
    "without which no page from elsewhere may read its answers"
    : "from the server: it does not run, or cannot be reached";
  find("lost").textContent =
    `No answer ${where}. Asking again every 2 seconds.`;
  find("lost").hidden = false;
}

/** Asks whether the server is back; with another model, all starts anew. */
async function ping(server, name, opened) {
  let now = null;
  try {
    now = await openModel(server, name);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  const isSame = JSON.stringify(now?.card) === JSON.stringify(opened?.card);
  if (opened && !isSame) location.reload(); // the address holds the place
}

/** Says why there is no model to show, and asks for another name. */
function refuse(refusal, name) {
  find("about").textContent = "There is nothing to explore.";
  complain("opening-error", refusal.message);
  find("model-name").value = name;
  find("opening").hidden = false;
  find("opening").addEventListener("submit", (event) => {
    event.preventDefault();
    const model = find("model-name").value.trim();
    location.hash = model ? toFragment({model}) : "";
    location.reload();
  });
}

function describe({name, version, card}) {
  const [height, width, channels] = card.event_shape;
  const latents = `${card.latent_dim} latent${card.latent_dim > 1 ? "s" : ""}`;
  const kind = !card.is_image ? `vectors of ${height}`
    : `${channels > 1 ? "colour " : ""}images of ${width} × ${height}`;
  const order = card.isDescribed ? ""
    : " It does not describe itself, so its latents stand in their own order.";
  return `${card.dataset ?? card.name}: ${latents}, ${kind}; ` +
    `${name}, version ${version}.${order}`;
}

function show(model, requests) {
  const explorer = new Explorer(model, requests, say);
  find("about").textContent = describe(model);
  document.title = `${model.card.dataset ?? model.name} · Latent explorer`;
  const [height, width = height] = model.card.event_shape;
  const main = find("explorer");
  main.classList.toggle("vectors", !model.card.is_image);
  main.style.setProperty(
    "--aspect", model.card.is_image ? `${width} / ${height}` : "2 / 1");
  for (const add of PANELS) add(explorer);
  main.hidden = false;
  restore(explorer);
  addEventListener("hashchange", () => restore(explorer));
  // Bars and lines are drawn in the colours of the moment.
  matchMedia("(prefers-color-scheme: dark)").addEventListener(
    "change", () => explorer.change({...explorer.place}));
}

/** Goes to the place that the address names. */
function restore(explorer) {
  const {model = explorer.model.name, ...place} = fromFragment(location.hash);
  if (model !== explorer.model.name) return location.reload();
  const wrong = mismatch(place, explorer.card);
  complain("link-error", wrong && `The link does not fit: ${wrong}.`);
  explorer.change({...explorer.origin(), ...wrong ? {} : place});
}

function start() {
  const server = new Server(told("server"));
  const name = fromFragment(location.hash).model ?? told("model");
  let opened = null;
  const requests = new Requests({
    ping: () => ping(server, name, opened),
    onBusy: (isBusy) => find("explorer").setAttribute("aria-busy", isBusy),
    onLost: () => tellLost(server),
    onFound: () => { find("lost").hidden = true; },
  });
  requests.newest("open", async () => {
    try {
      opened = await openModel(server, name);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return refuse(error, name);
    }
    show(opened, requests);
  });
}

start();
