/** The detector's worker, so that frames whose faces are followed do not wait for it: `load`, then `detect`. */
import { answerMessages } from "./messages.js";
import { detect } from "./pipeline.js";
import { Tensor, createSession } from "./runtime.js";

/** @type {import("./pipeline.js").DetectorConfig} */
let config;
/** @type {any} */
let session;

answerMessages({
  /** @param {{config: import("./pipeline.js").DetectorConfig}} message */
  async load(message) {
    config = message.config;
    session = await createSession(config.file);
  },
  /** @param {{pixels: import("./pipeline.js").Pixels, sides?: number[]}} message */
  detect: ({ pixels, sides }) => detect(session, Tensor, pixels, config, sides),
});
