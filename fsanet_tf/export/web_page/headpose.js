/**
 * Head poses in the browser: `load`, `predict`, `draw`. Nothing leaves the page.
 *
 *     import { load } from "./headpose.js";
 *     const headpose = await load({ network: "fusion" });
 *     const faces = await headpose.predict(video, { live: true }); // null: busy, the frame is dropped
 *     if (faces) headpose.draw(canvas.getContext("2d"), faces);
 *
 * @typedef {import("./pipeline.js").Face} Face
 * @typedef {import("./pipeline.js").Pixels} Pixels
 * @typedef {{grab: number, detect: number, pose: number}} Timings milliseconds
 * @typedef {{
 *   version: string, default_network: string,
 *   detector: import("./pipeline.js").DetectorConfig,
 *   networks: import("./pipeline.js").NetworkConfig[],
 *   live: {detect_every: number, side: number, min_overlap: number},
 *   faces: import("./pipeline.js").FaceConfig,
 *   following: import("./pipeline.js").FollowingConfig,
 *   smoothing: {min_cutoff_hz: number, beta: number, speed_cutoff_hz: number},
 *   drawing: {axis_colors: string[], box_color: string, axis_length: number, cube_side: number}
 * }} Config
 */
import { Asker } from "./messages.js";

/**
 * Load the runtime, the detector and a network.
 * @param {{network?: string}} [options] `network`: a name of `headpose.json`; by default its first
 * @returns {Promise<HeadPose>}
 * @throws {Error} if a file is missing, or there is no such network; the message is one line
 */
export async function load({ network } = {}) {
  const response = await fetch(new URL("./headpose.json", import.meta.url));
  if (!response.ok) throw new Error(`headpose.json: the server answered ${response.status}`);
  /** @type {Config} */
  const config = await response.json();
  const headpose = new HeadPose(config);
  await headpose.worker.ask({ kind: "load", config, network: network ?? config.default_network });
  return headpose;
}

export class HeadPose {
  /** @param {Config} config */
  constructor(config) {
    this.config = config;
    /** @type {Timings} of the last frame */
    this.timings = { grab: 0, detect: 0, pose: 0 };
    this.busy = false;
    this.worker = new Asker(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
  }

  /**
   * Predict the head poses of a frame.
   * @param {HTMLVideoElement | HTMLImageElement | HTMLCanvasElement | Blob | ImageBitmap | ImageData} frame
   * @param {{live?: boolean}} [options] `live`: footage, whose faces are detected at reduced
   *   resolution on every n-th frame and keep their boxes in between, or are followed by a network that localizes
   * @returns {Promise<Face[] | null>} faces with boxes in pixels and angles in degrees, signs of 300W-LP; null if the
   *   last frame is not finished: this one is dropped, never queued
   */
  async predict(frame, { live = false } = {}) {
    if (this.busy) return null;
    this.busy = true;
    try {
      /** @type {ImageBitmap | Pixels} */
      let source;
      if (frame instanceof ImageData) {
        source = { data: frame.data, width: frame.width, height: frame.height };
      } else {
        source = await createImageBitmap(frame, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
      }
      const transfer = source instanceof ImageBitmap ? [source] : [];
      const result = await this.worker.ask({ kind: "predict", frame: source, live }, transfer);
      this.timings = result.timings;
      return result.faces;
    } finally {
      this.busy = false;
    }
  }

  /**
   * Take another network; the session of the last one is released.
   * @param {string} name
   */
  async use(name) {
    await this.worker.ask({ kind: "use", network: name });
  }

  /** End the worker and release everything. */
  release() {
    this.worker.end();
  }

  /**
   * Draw boxes, axes or cubes, and angles.
   * @param {CanvasRenderingContext2D} context of a canvas in the pixels of the frame
   * @param {Face[]} faces
   * @param {{style?: "axes" | "cube"}} [options]
   */
  draw(context, faces, { style = "axes" } = {}) {
    const { drawing } = this.config;
    for (const face of faces) {
      const [left, top, right, bottom] = face.box;
      const side = Math.max(right - left, bottom - top);
      const center = [(left + right) / 2, (top + bottom) / 2];
      const width = Math.max(1, side / 80);
      context.lineWidth = Math.max(1, width / 2);
      context.strokeStyle = drawing.box_color;
      context.strokeRect(left, top, right - left, bottom - top);
      context.lineWidth = width + 1;
      const rotation = rotationMatrix(face);
      if (style === "cube") drawCube(context, rotation, center, drawing.cube_side * side, drawing.axis_colors);
      else drawAxes(context, rotation, center, drawing.axis_length * side, drawing.axis_colors);
      const number = faces.length > 1 && face.track !== undefined ? `${face.track}: ` : "";
      writeAngles(context, number, face, left, bottom, Math.max(side / 10, 12));
    }
  }
}

/**
 * Rx(pitch) · Ry(−yaw) · Rz(roll), whose columns are the head's left, down and front.
 * @param {{yaw: number, pitch: number, roll: number}} pose in degrees
 * @returns {number[][]}
 */
export function rotationMatrix({ yaw, pitch, roll }) {
  const [y, p, r] = [-yaw, pitch, roll].map((angle) => (angle * Math.PI) / 180);
  const [sy, cy, sp, cp, sr, cr] = [Math.sin(y), Math.cos(y), Math.sin(p), Math.cos(p), Math.sin(r), Math.cos(r)];
  return [
    [cy * cr, -cy * sr, sy],
    [cp * sr + cr * sp * sy, cp * cr - sp * sy * sr, -cy * sp],
    [sp * sr - cp * cr * sy, sp * cr + cp * sy * sr, cy * cp],
  ];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} from
 * @param {number[]} to
 * @param {string} color
 */
function line(context, from, to, color) {
  context.strokeStyle = color;
  context.beginPath();
  context.moveTo(from[0], from[1]);
  context.lineTo(to[0], to[1]);
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[][]} rotation
 * @param {number[]} center
 * @param {number} length
 * @param {string[]} colors
 */
function drawAxes(context, rotation, center, length, colors) {
  colors.forEach((color, axis) => {
    line(context, center, [0, 1].map((row) => center[row] + length * rotation[row][axis]), color);
  });
}

const CORNERS = [-1, 1].flatMap((z) => [[-1, -1, z], [1, -1, z], [1, 1, z], [-1, 1, z]]);

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[][]} rotation
 * @param {number[]} center
 * @param {number} side
 * @param {string[]} colors
 */
function drawCube(context, rotation, center, side, colors) {
  const corners = CORNERS.map((corner) =>
    [0, 1].map((row) => center[row] + (side / 2) * corner.reduce((sum, v, i) => sum + rotation[row][i] * v, 0)),
  );
  for (let i = 0; i < 4; i++) {
    line(context, corners[i], corners[(i + 1) % 4], colors[1]);
    line(context, corners[i], corners[i + 4], colors[1]);
  }
  for (let i = 0; i < 4; i++) line(context, corners[4 + i], corners[4 + ((i + 1) % 4)], colors[2]);
}

/** @param {number} angle in degrees; never "-0" */
export function formatAngle(angle) {
  const whole = Math.round(angle) + 0;
  return whole < 0 ? `${whole}` : `+${whole}`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} number of the face, if there are several
 * @param {Face} face
 * @param {number} x
 * @param {number} y
 * @param {number} height
 */
function writeAngles(context, number, face, x, y, height) {
  const angles = number + [face.yaw, face.pitch, face.roll].map(formatAngle).join(" ");
  const text = face.uncertaintyDeg === null ? angles : `${angles} (error ${face.uncertaintyDeg.toFixed(0)})`;
  context.font = `${height}px system-ui, sans-serif`;
  const baseline = Math.min(y + 1.3 * height, context.canvas.height - 3);
  const start = Math.max(1, Math.min(x, context.canvas.width - context.measureText(text).width - 2));
  context.lineWidth = height / 5;
  context.strokeStyle = "black";
  context.fillStyle = "white";
  context.strokeText(text, start, baseline);
  context.fillText(text, start, baseline);
}
