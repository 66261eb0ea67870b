/** The runtime, set up for one worker. */
import * as ort from "./runtime/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // two were slower: frames are small
ort.env.logLevel = "error";

export const Tensor = ort.Tensor;

/**
 * Load a network.
 * @param {string} file
 */
export async function createSession(file) {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok) throw new Error(`${file}: the server answered ${response.status}`);
  return ort.InferenceSession.create(new Uint8Array(await response.arrayBuffer()), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}
