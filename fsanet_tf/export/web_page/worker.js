/** The poses' worker, one frame at a time: `load`, `use`, `predict`. It asks the detector's worker for faces. */
import { Asker, answerMessages } from "./messages.js";
import { Follower, isFace, predictPoses } from "./pipeline.js";
import { Tensor, createSession } from "./runtime.js";

/** @typedef {import("./pipeline.js").Detection} Detection */
/** @typedef {import("./pipeline.js").Pixels} Pixels */

const detector = new Asker(new Worker(new URL("./detector.js", import.meta.url), { type: "module" }));
/** @type {import("./headpose.js").Config} */
let config;
/** @type {any} */
let poser;
/** @type {import("./pipeline.js").NetworkConfig} */
let network;
/** @type {{detections: Detection[], age: number, size: string}} */
let held = { detections: [], age: Infinity, size: "" };
/** @type {Follower} */
let follower;
/** @type {{found?: Detection[], done: Promise<void>} | null} the detector's look at this frame or an earlier one */
let look = null;
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });

/**
 * Take another network; the session of the last one is released.
 * @param {string} name
 */
async function use(name) {
  const chosen = config.networks.find((candidate) => candidate.name === name);
  if (!chosen) {
    throw new Error(`network must be one of ${config.networks.map((n) => n.name).join(", ")}. Received: ${name}`);
  }
  const session = await createSession(chosen.file);
  await poser?.release();
  [poser, network] = [session, chosen];
  forget();
}

/** Follow no face any more, and drop what the detector still says of an earlier source. */
function forget() {
  follower = new Follower(config.following, config.faces);
  look = null;
}

/**
 * The pixels of a frame; a bitmap is closed.
 * @param {ImageBitmap | Pixels} frame
 * @returns {Pixels}
 */
function readPixels(frame) {
  if (!(frame instanceof ImageBitmap)) return frame;
  if (!context) throw new Error("this browser has no 2D canvas in workers");
  const { width, height } = frame;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.drawImage(frame, 0, 0);
  frame.close();
  return context.getImageData(0, 0, width, height);
}

/**
 * Detect faces in live footage: at reduced resolution, on every n-th frame.
 * @param {Pixels} pixels
 * @returns {Promise<Detection[]>}
 */
async function findFaces(pixels) {
  const size = `${pixels.width}x${pixels.height}`;
  if (held.size === size && held.age < config.live.detect_every - 1 && held.detections.length) {
    held.age += 1;
    return held.detections;
  }
  held = { detections: await detectReduced(pixels), age: 0, size };
  return held.detections;
}

/**
 * @param {Pixels} pixels
 * @returns {Promise<Detection[]>}
 */
const detectReduced = (pixels) => detector.ask({ kind: "detect", pixels, sides: [config.live.side] });

/** @param {Pixels} pixels */
function startLook(pixels) {
  follower.ask();
  /** @type {{found?: Detection[], done: Promise<void>}} */
  const started = { done: detectReduced(pixels).then((found) => void (started.found = found)) };
  return started;
}

/**
 * Let the detector look for new faces when it is time; frames wait for it only if no face is followed.
 * @param {Pixels} pixels
 * @param {number} timeS
 */
async function follow(pixels, timeS) {
  if (!look && follower.isDue(timeS)) look = startLook(pixels);
  if (!follower.faces.length) await look?.done;
  if (look?.found) {
    follower.add(look.found);
    look = null;
  }
  return follower.faces;
}

/**
 * The boxes of a frame: of a network that localizes, those that its last answers lead to.
 * @param {Pixels} pixels
 * @param {boolean} live
 * @param {number} timeS
 * @returns {Promise<Detection[]>}
 */
async function findBoxes(pixels, live, timeS) {
  if (!live) return detector.ask({ kind: "detect", pixels });
  return localizes() ? follow(pixels, timeS) : findFaces(pixels);
}

const localizes = () => network.outputs.includes("box_offset");

/**
 * The faces that detector and network agree on, the surest first.
 * @param {import("./pipeline.js").Face[]} answers
 */
function trueFaces(answers) {
  const sureness = (/** @type {import("./pipeline.js").Face} */ face) => face.score * (face.faceScore ?? 1);
  return answers.filter((face) => isFace(face, config.faces)).sort((a, b) => sureness(b) - sureness(a));
}

/** @param {{frame: ImageBitmap | Pixels, live: boolean}} message */
async function predict({ frame, live }) {
  const start = performance.now();
  const pixels = readPixels(frame);
  const grabbed = performance.now();
  const detections = await findBoxes(pixels, live, start / 1000);
  const detected = performance.now();
  const answers = await predictPoses(poser, Tensor, pixels, detections, network, config.following);
  const faces = live && localizes() ? follower.update(answers) : trueFaces(answers);
  const end = performance.now();
  const timings = { grab: grabbed - start, detect: detected - grabbed, pose: end - detected };
  return { faces, timings };
}

answerMessages({
  /** @param {{config: import("./headpose.js").Config, network: string}} message */
  async load(message) {
    config = message.config;
    await Promise.all([detector.ask({ kind: "load", config: config.detector }), use(message.network)]);
  },
  /** @param {{network: string}} message */
  use: (message) => use(message.network),
  predict,
});
