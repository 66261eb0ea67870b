/**
 * The worker: detection and inference, one frame at a time.
 *
 * Messages in: `load`, `use`, `predict`; each is answered by `{id, result}` or `{id, error}`.
 */
import * as ort from "./runtime/ort.wasm.min.mjs";
import { Follower, detect, predictPoses } from "./pipeline.js";

ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // two were slower: frames are small
ort.env.logLevel = "error";

/** @typedef {import("./pipeline.js").Detection} Detection */
/** @typedef {import("./pipeline.js").Pixels} Pixels */

/** @type {import("./headpose.js").Config} */
let config;
/** @type {any} */
let detector;
/** @type {any} */
let poser;
/** @type {import("./pipeline.js").NetworkConfig} */
let network;
/** @type {{detections: Detection[], age: number, size: string}} */
let held = { detections: [], age: Infinity, size: "" };
/** @type {Follower} */
let follower;
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });

/** @param {string} file */
async function createSession(file) {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok) throw new Error(`${file}: the server answered ${response.status}`);
  return ort.InferenceSession.create(new Uint8Array(await response.arrayBuffer()), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}

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
  follower = new Follower(config.following);
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

/** @param {Pixels} pixels */
const detectReduced = (pixels) => detect(detector, ort.Tensor, pixels, config.detector, [config.live.side]);

/**
 * The boxes of a frame: of a network that localizes, those that its last answers lead to.
 * @param {Pixels} pixels
 * @param {boolean} live
 * @param {number} timeS
 */
async function findBoxes(pixels, live, timeS) {
  if (!live) return detect(detector, ort.Tensor, pixels, config.detector);
  if (!network.outputs.includes("box_offset")) return findFaces(pixels);
  if (follower.isDue(timeS)) follower.add(await detectReduced(pixels));
  return follower.faces;
}

/** @param {{frame: ImageBitmap | Pixels, live: boolean, echo: boolean}} message */
async function predict({ frame, live, echo }) {
  const start = performance.now();
  const pixels = readPixels(frame);
  const grabbed = performance.now();
  const detections = await findBoxes(pixels, live, start / 1000);
  const detected = performance.now();
  const answers = await predictPoses(poser, ort.Tensor, pixels, detections, network, config.following);
  const faces = live && network.outputs.includes("box_offset") ? follower.update(answers) : answers;
  const end = performance.now();
  const timings = { grab: grabbed - start, detect: detected - grabbed, pose: end - detected };
  return { faces, timings, pixels: echo ? pixels.data : undefined };
}

const handlers = {
  /** @param {{config: import("./headpose.js").Config, network: string}} message */
  async load(message) {
    config = message.config;
    detector = await createSession(config.detector.file);
    await use(message.network);
  },
  /** @param {{network: string}} message */
  use: (message) => use(message.network),
  predict,
};

/** @param {any} data a message */
async function answer({ id, kind, ...message }) {
  try {
    const result = await handlers[/** @type {keyof handlers} */ (kind)](message);
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

let work = Promise.resolve();
self.onmessage = ({ data }) => {
  work = work.then(() => answer(data)); // one after the other: no network is released while it runs
};
