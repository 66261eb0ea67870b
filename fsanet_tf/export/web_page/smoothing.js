/**
 * Tracks of faces, and the One Euro filter of their angles (Casiez, Roussel, Vogel, CHI 2012), as in Python.
 *
 * @typedef {import("./pipeline.js").Face} Face
 * @typedef {{min_cutoff_hz: number, beta: number, speed_cutoff_hz: number}} SmoothingConfig
 */

import { boxOverlap } from "./pipeline.js";

/** @param {number} angle */
const wrap = (angle) => ((((angle + 180) % 360) + 360) % 360) - 180;

/**
 * Weight of the newest value at a cutoff frequency.
 * @param {number} cutoffHz
 * @param {number} elapsedS
 */
const weight = (cutoffHz, elapsedS) => 1 / (1 + 1 / (2 * Math.PI * cutoffHz * elapsedS));

export class OneEuroFilter {
  /** @param {SmoothingConfig} config */
  constructor(config) {
    this.config = config;
    /** @type {number[] | null} */
    this.angles = null;
    /** @type {number[]} */
    this.speed = [];
    this.timeS = 0;
  }

  /**
   * @param {number[]} angles in degrees
   * @param {number} timeS must not decrease
   * @returns {number[]}
   */
  smooth(angles, timeS) {
    const elapsed = timeS - this.timeS;
    if (this.angles === null) {
      this.angles = [...angles];
      this.speed = angles.map(() => 0);
    } else if (elapsed > 0) {
      const last = this.angles;
      this.angles = angles.map((angle, i) => {
        const step = wrap(angle - last[i]);
        this.speed[i] += weight(this.config.speed_cutoff_hz, elapsed) * (step / elapsed - this.speed[i]);
        const cutoff = this.config.min_cutoff_hz + this.config.beta * Math.abs(this.speed[i]);
        return wrap(last[i] + weight(cutoff, elapsed) * step);
      });
    }
    this.timeS = timeS;
    return [...this.angles];
  }
}

/** Number faces through a video, and smooth their angles on request. */
export class Tracks {
  /**
   * @param {SmoothingConfig} config
   * @param {number} minOverlap intersection over union at which a box is still the same face
   */
  constructor(config, minOverlap) {
    this.config = config;
    this.minOverlap = minOverlap;
    this.next = 1;
    /** @type {{track: number, box: number[], filter: OneEuroFilter}[]} */
    this.known = [];
  }

  /**
   * @param {Face[]} faces
   * @param {number} timeS
   * @param {boolean} smoothed
   * @returns {Face[]} the same faces with `track`
   */
  update(faces, timeS, smoothed) {
    const free = [...this.known];
    this.known = [];
    return faces.map((face) => {
      free.sort((a, b) => boxOverlap(b.box, face.box) - boxOverlap(a.box, face.box));
      const match = free.length && boxOverlap(free[0].box, face.box) >= this.minOverlap ? free.shift() : undefined;
      const { track, filter } = match ?? { track: this.next++, filter: new OneEuroFilter(this.config) };
      this.known.push({ track, box: face.box, filter });
      const [yaw, pitch, roll] = filter.smooth([face.yaw, face.pitch, face.roll], timeS);
      return smoothed ? { ...face, yaw, pitch, roll, track } : { ...face, track };
    });
  }
}
