/**
 * From the pixels of a frame to faces with head poses: detect, crop, predict, exactly as the Python package does.
 * Every constant comes from `headpose.json`, which `fsanet export` writes.
 *
 * @typedef {{data: Uint8ClampedArray, width: number, height: number}} Pixels RGBA, rows from the top
 * @typedef {[number, number, number, number]} Box left, top, right, bottom in pixels
 * @typedef {{box: Box, score: number}} Detection `box` is the smallest box around the visible landmarks
 * @typedef {{yaw: number, pitch: number, roll: number, uncertaintyDeg: number | null}} Pose in degrees
 * @typedef {{nextBox?: Box, faceScore?: number}} Followed where a network that localizes sees the face, and whether
 * @typedef {Detection & Pose & Followed & {track?: number}} Face
 * @typedef {{
 *   file: string, strides: number[], divisor: number, score_threshold: number, nms_threshold: number,
 *   top_k: number, face_side: number, face_drop: number, sides: number[], min_frame: number, small_face: number,
 *   duplicate: number
 * }} DetectorConfig
 * @typedef {{margin_ratio: number, square: boolean, sampling: string}} CropRule
 * @typedef {{
 *   name: string, file: string, bytes: number, image_size: number, crop: CropRule, outputs: string[]
 * }} NetworkConfig
 * @typedef {{inputNames: readonly string[], run: (feeds: Record<string, any>) => Promise<Record<string, any>>}} Session
 * @typedef {new (type: "float32", data: Float32Array, shape: number[]) => any} TensorClass
 */

/**
 * Reduce a frame so that its longest side has `side` pixels, as `reduce_frame` in Python: average in halves, then
 * interpolate. Smaller frames stay.
 * @param {Pixels} frame
 * @param {number} side
 * @returns {Pixels}
 */
export function reduce(frame, side) {
  const scale = side / Math.max(frame.width, frame.height);
  if (scale >= 1) return frame;
  const width = Math.max(1, Math.round(frame.width * scale));
  const height = Math.max(1, Math.round(frame.height * scale));
  let reduced = frame;
  while (reduced.width >= 2 * width && reduced.height >= 2 * height) {
    reduced = halve(reduced);
  }
  const bgr = new Float32Array(3 * width * height);
  resizeBox(reduced, [0, 0, reduced.width, reduced.height], width, height, bgr);
  const data = new Uint8ClampedArray(4 * width * height);
  for (let to = 0, from = 0; to < data.length; to += 4, from += 3) {
    for (let c = 0; c < 3; c++) data[to + c] = bgr[from + 2 - c];
  }
  return { data, width, height };
}

/**
 * Average each 2×2 pixels of a frame, without an odd last row or column, as `cv2.resize` with `INTER_AREA`.
 * @param {Pixels} frame
 * @returns {Pixels}
 */
function halve(frame) {
  const [width, height] = [frame.width >> 1, frame.height >> 1];
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = 8 * y * frame.width; x < width; x++, from += 8, to += 4) {
      for (let c = 0, below = from + 4 * frame.width; c < 3; c++, below++) {
        const sum = frame.data[from + c] + frame.data[from + c + 4] + frame.data[below] + frame.data[below + 4];
        data[to + c] = (sum + 2) >> 2;
      }
    }
  }
  return { data, width, height };
}

/**
 * Pad a frame that is too small for the detector with black on all sides.
 * @param {Pixels} frame
 * @param {number} least width and height
 * @returns {{padded: Pixels, x: number, y: number}} the frame, and where the picture begins
 */
function pad(frame, least) {
  const [x, y] = [frame.width, frame.height].map((side) => Math.max(0, least - side + 1) >> 1);
  if (!x && !y) return { padded: frame, x, y };
  const width = frame.width + 2 * x;
  const data = new Uint8ClampedArray(4 * width * (frame.height + 2 * y));
  for (let row = 0; row < frame.height; row++) {
    const line = frame.data.subarray(4 * row * frame.width, 4 * (row + 1) * frame.width);
    data.set(line, 4 * ((row + y) * width + x));
  }
  return { padded: { data, width, height: frame.height + 2 * y }, x, y };
}

/**
 * The input of YuNet: BGR planes, padded with zeros on the right and below to a multiple of `divisor`.
 * @param {Pixels} frame
 * @param {number} divisor
 */
export function detectorInput({ data, width, height }, divisor) {
  const columns = Math.ceil(width / divisor) * divisor;
  const rows = Math.ceil(height / divisor) * divisor;
  const plane = rows * columns;
  const planes = new Float32Array(3 * plane);
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0, to = y * columns; x < width; x++, to++, from += 4) {
      planes[to] = data[from + 2];
      planes[plane + to] = data[from + 1];
      planes[2 * plane + to] = data[from];
    }
  }
  return { planes, rows, columns };
}

/**
 * Find the faces of a frame as `make_detector("yunet")` does: on the frame reduced to each side, small faces alone on
 * the larger ones.
 * @param {Session} session
 * @param {TensorClass} Tensor
 * @param {Pixels} frame
 * @param {DetectorConfig} config
 * @param {number[]} [sides]
 * @returns {Promise<Detection[]>} most certain first
 */
export async function detect(session, Tensor, frame, config, sides = config.sides) {
  const longest = Math.max(frame.width, frame.height);
  const distinct = [...new Set(sides.map((side) => Math.min(side, longest)))].sort((a, b) => b - a);
  /** @type {{corner: number[], score: number}[]} */
  let found = [];
  let reduced = frame;
  for (const side of distinct) {
    const scale = side / longest;
    reduced = reduce(reduced, side);
    const { padded, x, y } = pad(reduced, config.min_frame);
    const limit = side === distinct[distinct.length - 1] ? Infinity : config.small_face / scale;
    for (const { corner, score } of await detectAtOneScale(session, Tensor, padded, config)) {
      const [left, top, width, height] = corner;
      const scaled = [(left - x) / scale, (top - y) / scale, width / scale, height / scale];
      if (scaled.every(Number.isFinite) && scaled[2] <= limit) found.push({ corner: scaled, score });
    }
  }
  found.sort((a, b) => b.score - a.score);
  if (distinct.length > 1) found = withoutDuplicates(found, config.duplicate);
  return found.map(({ corner: [x, y, width, height], score }) => {
    return { box: faceBox([x, y, x + width, y + height], config), score };
  });
}

/**
 * Keep the best of the detections that cover one another.
 * @param {{corner: number[], score: number}[]} sorted
 * @param {number} most share of the smaller box that may be covered
 */
function withoutDuplicates(sorted, most) {
  /** @type {typeof sorted} */
  const kept = [];
  for (const face of sorted) {
    const area = (/** @type {number[]} */ corner) => corner[2] * corner[3];
    const isNew = (/** @type {typeof face} */ other) =>
      intersection(face.corner, other.corner) <= most * Math.min(area(face.corner), area(other.corner));
    if (kept.every(isNew)) kept.push(face);
  }
  return kept;
}

/**
 * Run the detector on a frame, as `cv2.FaceDetectorYN`.
 * @param {Session} session
 * @param {TensorClass} Tensor
 * @param {Pixels} frame
 * @param {DetectorConfig} config
 * @returns {Promise<{score: number, corner: number[]}[]>} boxes as left, top, width, height
 */
async function detectAtOneScale(session, Tensor, frame, config) {
  const { planes, rows, columns } = detectorInput(frame, config.divisor);
  const input = new Tensor("float32", planes, [1, 3, rows, columns]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  /** @type {{score: number, corner: number[]}[]} */
  const candidates = [];
  for (const stride of config.strides) {
    const classes = outputs[`cls_${stride}`].data;
    const objects = outputs[`obj_${stride}`].data;
    const boxes = outputs[`bbox_${stride}`].data;
    const perRow = columns / stride;
    for (let i = 0; i < classes.length; i++) {
      const product = Math.fround(unit(classes[i]) * unit(objects[i]));
      const score = Math.fround(Math.sqrt(product));
      if (!(score > config.score_threshold)) continue;
      const centerX = ((i % perRow) + boxes[4 * i]) * stride;
      const centerY = (Math.floor(i / perRow) + boxes[4 * i + 1]) * stride;
      const width = Math.exp(boxes[4 * i + 2]) * stride;
      const height = Math.exp(boxes[4 * i + 3]) * stride;
      const corner = [centerX - width / 2, centerY - height / 2, width, height].map(Math.fround);
      candidates.push({ score, corner });
    }
  }
  return suppress(candidates, config);
}

/** @param {number} value */
const unit = (value) => Math.min(Math.max(value, 0), 1);

/**
 * Non-maximum suppression on boxes of whole pixels, as OpenCV does.
 * @param {{score: number, corner: number[]}[]} candidates
 * @param {DetectorConfig} config
 */
export function suppress(candidates, config) {
  const sorted = [...candidates].sort((a, b) => b.score - a.score).slice(0, config.top_k);
  /** @type {typeof candidates} */
  const kept = [];
  for (const candidate of sorted) {
    const whole = candidate.corner.map(Math.trunc);
    if (kept.every((other) => overlap(whole, other.corner.map(Math.trunc)) <= config.nms_threshold)) {
      kept.push(candidate);
    }
  }
  return kept;
}

/**
 * Area that two boxes (x, y, width, height) share.
 * @param {number[]} a
 * @param {number[]} b
 */
function intersection(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  return width <= 0 || height <= 0 ? 0 : width * height;
}

/**
 * Intersection over union of two boxes (x, y, width, height).
 * @param {number[]} a
 * @param {number[]} b
 */
function overlap(a, b) {
  const shared = intersection(a, b);
  return shared ? shared / (a[2] * a[3] + b[2] * b[3] - shared) : 0;
}

/**
 * Estimate the box around the landmarks, by which networks crop, from the detector's.
 * @param {Box} box
 * @param {DetectorConfig} config
 * @returns {Box}
 */
export function faceBox([left, top, right, bottom], config) {
  const side = Math.max(right - left, bottom - top);
  const centerX = (left + right) / 2;
  const centerY = (top + bottom) / 2 + config.face_drop * side;
  const half = (side * config.face_side) / 2;
  return [centerX - half, centerY - half, centerX + half, centerY + half];
}

/**
 * Grow a box by a margin and clip it to the frame, as the original does.
 * @param {Box} box
 * @param {CropRule} rule
 * @param {number} width
 * @param {number} height
 * @returns {Box} whole pixels; empty if the box lies outside
 */
export function growBox(box, rule, width, height) {
  let [left, top, right, bottom] = box.map(Math.trunc);
  if (rule.square) {
    const missing = Math.abs(right - left - (bottom - top));
    const before = Math.floor(missing / 2);
    if (right - left < bottom - top) {
      [left, right] = [left - before, right + missing - before];
    } else {
      [top, bottom] = [top - before, bottom + missing - before];
    }
  }
  const marginX = rule.margin_ratio * (right - left);
  const marginY = rule.margin_ratio * (bottom - top);
  return [
    Math.max(Math.trunc(left - marginX), 0),
    Math.max(Math.trunc(top - marginY), 0),
    Math.min(Math.trunc(right + marginX), width - 1),
    Math.min(Math.trunc(bottom + marginY), height - 1),
  ];
}

const MAX_WINDOW_RATIO = 4; // a larger window, relative to the frame, shows no face
const BITS = 11; // OpenCV's weights are integers of 1/2048

/**
 * Source positions and weights of a resize from `from` to `to` pixels. Beyond the first and last pixel OpenCV takes
 * one of them whole across, but the sum of two rounded shares down.
 * @param {number} from
 * @param {number} to
 * @param {boolean} across
 */
function taps(from, to, across) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    let position = Math.fround((i + 0.5) * scale - 0.5);
    let start = Math.floor(position);
    position = Math.fround(position - start);
    if (across && start < 0) [start, position] = [0, 0];
    if (across && start >= from - 1) [start, position] = [from - 1, 0];
    const second = roundHalfToEven(Math.fround(position * (1 << BITS)));
    const first = roundHalfToEven(Math.fround(Math.fround(1 - position) * (1 << BITS)));
    const inside = (/** @type {number} */ pixel) => Math.min(Math.max(pixel, 0), from - 1);
    return { start: inside(start), next: inside(start + 1), first, second };
  });
}

/** @param {number} value */
function roundHalfToEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * Cut a box of whole pixels out of a frame and resize it, as `cv2.resize` (bilinear), into BGR values.
 * @param {Pixels} frame
 * @param {Box} box
 * @param {number} columns width of the result
 * @param {number} rows height of the result
 * @param {Float32Array} bgr receives `(rows, columns, 3)`
 */
export function resizeBox({ data, width }, [left, top, right, bottom], columns, rows, bgr) {
  const across = taps(right - left, columns, true);
  const down = taps(bottom - top, rows, false);
  const line = () => new Int32Array(3 * columns);
  /** @type {Map<number, Int32Array>} */
  let lines = new Map();
  for (let y = 0, to = 0; y < rows; y++) {
    const { start, next, first, second } = down[y];
    /** @type {Map<number, Int32Array>} */
    const needed = new Map();
    for (const row of [start, next]) {
      let values = lines.get(row) ?? needed.get(row);
      if (!values) {
        values = line();
        const origin = 4 * ((top + row) * width + left);
        for (let x = 0, at = 0; x < columns; x++) {
          const tap = across[x];
          const a = origin + 4 * tap.start;
          const b = origin + 4 * tap.next;
          for (let c = 2; c >= 0; c--) values[at++] = data[a + c] * tap.first + data[b + c] * tap.second;
        }
      }
      needed.set(row, values);
    }
    lines = needed;
    const above = /** @type {Int32Array} */ (needed.get(start));
    const below = /** @type {Int32Array} */ (needed.get(next));
    for (let i = 0; i < 3 * columns; i++) {
      bgr[to++] = ((((first * (above[i] >> 4)) >> 16) + ((second * (below[i] >> 4)) >> 16) + 2) >> 2);
    }
  }
}

/**
 * The window of a filtered crop: the box grown by the margin, at fractions of a pixel.
 * @param {Box} box
 * @param {CropRule} rule
 * @returns {Box}
 */
export function faceWindow([left, top, right, bottom], rule) {
  let halfWidth = (right - left) / 2;
  let halfHeight = (bottom - top) / 2;
  if (rule.square) halfWidth = halfHeight = Math.max(halfWidth, halfHeight);
  const grown = 1 + 2 * rule.margin_ratio;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [x - halfWidth * grown, y - halfHeight * grown, x + halfWidth * grown, y + halfHeight * grown];
}

/**
 * The blocks of source pixels that a filtered crop averages along an axis, and the two that each target pixel mixes.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
function blocks(low, high, count) {
  const step = (high - low) / count;
  const block = Math.max(1, roundHalfToEven(step));
  const start = Math.floor(low) - block;
  const positions = Array.from({ length: count }, (_, i) => (low + (i + 0.5) * step - start) / block - 0.5);
  const mixes = positions.map((position) => ({ first: Math.floor(position), share: position % 1 }));
  return { start, block, mixes, number: mixes[count - 1].first + 2 };
}

/**
 * Resample a window at fractions of a pixel into BGR values: means of blocks, then linear; the frame's edge repeats.
 * @param {Pixels} frame
 * @param {Box} window
 * @param {number} size
 * @param {Float32Array} crop receives `(size, size, 3)`
 */
export function sampleWindow({ data, width, height }, [left, top, right, bottom], size, crop) {
  const across = blocks(left, right, size);
  const down = blocks(top, bottom, size);
  const means = new Float32Array(3 * across.number * down.number);
  const area = across.block * down.block;
  const inside = (/** @type {number} */ pixel, /** @type {number} */ end) => Math.min(Math.max(pixel, 0), end - 1);
  for (let y = 0; y < down.number * down.block; y++) {
    const row = width * inside(down.start + y, height);
    const line = across.number * Math.floor(y / down.block);
    for (let x = 0; x < across.number * across.block; x++) {
      const from = 4 * (row + inside(across.start + x, width));
      const to = 3 * (line + Math.floor(x / across.block));
      for (let c = 0; c < 3; c++) means[to + c] += data[from + 2 - c];
    }
  }
  for (let y = 0, to = 0; y < size; y++) {
    const { first: row, share: lower } = down.mixes[y];
    for (let x = 0; x < size; x++) {
      const { first: column, share: rightward } = across.mixes[x];
      const at = 3 * (row * across.number + column);
      const below = at + 3 * across.number;
      for (let c = 0; c < 3; c++) {
        const above = means[at + c] * (1 - rightward) + means[at + 3 + c] * rightward;
        const under = means[below + c] * (1 - rightward) + means[below + 3 + c] * rightward;
        crop[to++] = (above * (1 - lower) + under * lower) / area;
      }
    }
  }
}

/**
 * Cut a face out of a frame by the network's rule, as `crop_face` in Python.
 * @param {Pixels} frame
 * @param {Box} box
 * @param {NetworkConfig} network
 * @returns {Float32Array | null} BGR `(size, size, 3)`; null if the box contains no part of the frame
 */
export function cropFace(frame, box, { crop: rule, image_size: size }) {
  const crop = new Float32Array(3 * size * size);
  const filtered = rule.sampling === "filtered";
  const { width, height } = frame;
  const window = filtered ? faceWindow(box, rule) : growBox(box, rule, width, height);
  const [left, top, right, bottom] = window;
  const overlaps = box[0] < width && box[1] < height && box[2] > 0 && box[3] > 0;
  if (!overlaps || left >= right || top >= bottom || Math.max(right - left, bottom - top) > MAX_WINDOW_RATIO * (width + height)) return null;
  if (filtered) sampleWindow(frame, window, size, crop);
  else resizeBox(frame, window, size, size, crop);
  return crop;
}

/**
 * Predict the poses of detected faces; one that lies outside of the frame is left out.
 * @param {Session} session
 * @param {TensorClass} Tensor
 * @param {Pixels} frame
 * @param {Detection[]} detections
 * @param {NetworkConfig} network
 * @param {FollowingConfig} following constants by which `nextBox` moves
 * @returns {Promise<Face[]>}
 */
export async function predictPoses(session, Tensor, frame, detections, network, following) {
  const size = network.image_size;
  const values = 3 * size * size;
  const crops = new Float32Array(values * detections.length);
  const kept = [];
  for (const face of detections) {
    const crop = cropFace(frame, face.box, network);
    if (crop) crops.set(crop, values * (kept.push(face) - 1));
  }
  if (kept.length === 0) return [];
  const input = new Tensor("float32", crops.subarray(0, values * kept.length), [kept.length, size, size, 3]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const [poses, errors] = [outputs.pose.data, outputs.uncertainty_deg?.data];
  const [offsets, scores] = [outputs.box_offset?.data, outputs.face_score?.data];
  return kept.map((face, i) => ({
    ...face,
    yaw: poses[3 * i],
    pitch: poses[3 * i + 1],
    roll: poses[3 * i + 2],
    uncertaintyDeg: errors ? errors[i] : null,
    ...(offsets && { nextBox: movedBox(face.box, network.crop, damped(offsets.subarray(3 * i, 3 * i + 3), following)) }),
    ...(scores && { faceScore: scores[i] }),
  }));
}

/**
 * Where the face is, given where the network sees it in its crop, as `moved_box` in Python.
 * @param {Box} box
 * @param {CropRule} rule
 * @param {ArrayLike<number>} offset `box_offset` of the face
 * @returns {Box}
 */
export function movedBox(box, rule, offset) {
  const [left, top, right, bottom] = faceWindow(box, rule);
  const x = (box[0] + box[2]) / 2 + offset[0] * (right - left);
  const y = (box[1] + box[3]) / 2 + offset[1] * (bottom - top);
  const scale = Math.exp(offset[2]) / 2;
  const [halfWidth, halfHeight] = [(box[2] - box[0]) * scale, (box[3] - box[1]) * scale];
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}

/**
 * The part of an offset by which a box moves to the next frame, as `FollowingConfig.damped` in Python.
 * @param {ArrayLike<number>} offset `box_offset` of the face
 * @param {FollowingConfig} config
 */
export function damped(offset, config) {
  const [x, y, growth] = [offset[0], offset[1], offset[2]];
  const limit = (/** @type {number} */ gain) => Math.min(Math.max(gain, config.min_gain), 1);
  const gain = limit(Math.hypot(x, y) / config.full_offset);
  return [gain * x, gain * y, limit(Math.abs(growth) / config.full_growth) * growth];
}

/**
 * Where a face will be in the next frame, from its boxes in the last one and in this one, as `FollowingConfig.ahead`.
 * @param {Box} last
 * @param {Box} box
 * @param {FollowingConfig} config
 * @returns {Box}
 */
export function ahead(last, box, config) {
  const [left, top, right, bottom] = box;
  const [x, y] = [(left + right - last[0] - last[2]) / 2, (top + bottom - last[1] - last[3]) / 2];
  const side = Math.sqrt((right - left) * (bottom - top));
  const gain = Math.min(Math.hypot(x, y) / (config.full_speed * Math.max(side, 1)), 1);
  return [left + gain * x, top + gain * y, right + gain * x, bottom + gain * y];
}

/**
 * Whether a detection is a face, as `is_face` in Python: the surer the network, the less the detector has to be.
 * @typedef {{min_face_score: number, min_evidence: number, default_face_score: number}} FaceConfig
 * @param {{score: number, faceScore?: number}} face
 * @param {FaceConfig} config
 */
export function isFace({ score, faceScore }, config) {
  const own = faceScore ?? config.default_face_score;
  return own >= config.min_face_score && score + own >= config.min_evidence;
}

/**
 * Follow the faces of a video by a network that localizes.
 * @typedef {{detect_every_s: number, min_face_score: number, hold_frames: number, full_offset: number,
 *   full_growth: number, min_gain: number, full_speed: number, min_overlap: number, max_overlap: number}} FollowingConfig
 */
export class Follower {
  /**
   * @param {FollowingConfig} config
   * @param {FaceConfig} faceConfig
   */
  constructor(config, faceConfig) {
    this.config = config;
    this.faceConfig = faceConfig;
    /** @type {(Detection & {misses: number, seen?: Box, asked?: Box})[]} */
    this.faces = [];
    this.dueS = -Infinity;
  }

  /**
   * Whether the detector should look for faces, new ones or any.
   * @param {number} timeS
   */
  isDue(timeS) {
    if (timeS < this.dueS && this.faces.length) return false;
    this.dueS = timeS + this.config.detect_every_s;
    return true;
  }

  /** Keep the boxes of the frame that the detector is about to see; later ones may come before its answer. */
  ask() {
    for (const face of this.faces) face.asked = face.box;
  }

  /**
   * Add what the detector has found, but for faces that are followed already; their boxes stay, since those of a
   * detector jump, and with them the poses.
   * @param {Detection[]} found
   */
  add(found) {
    const isFollowed = (/** @type {Detection} */ face) =>
      this.faces.some(({ box, asked = box }) => [box, asked].some((place) => boxOverlap(place, face.box) >= this.config.min_overlap));
    this.faces.push(...found.filter((face) => !isFollowed(face)).map((face) => ({ ...face, misses: -1 })));
  }

  /**
   * Move to where the network sees the faces, and drop those that it sees no more.
   * @param {Face[]} answers for `faces`, without those that left the frame
   * @returns {Face[]} the faces that remain
   */
  update(answers) {
    const before = this.faces;
    this.faces = [];
    return answers.filter((face) => {
      const last = before.find((known) => known.box === face.box);
      const isNew = (last?.misses ?? -1) < 0;
      const isSeen = isNew ? isFace(face, this.faceConfig) : (face.faceScore ?? 1) >= this.config.min_face_score;
      const misses = isSeen ? 0 : isNew ? Infinity : (last?.misses ?? 0) + 1;
      const seen = isSeen ? face.nextBox : undefined;
      const place = seen ?? face.box;
      const box = seen && last?.seen ? ahead(last.seen, seen, this.config) : place;
      const isSecond = this.faces.some((other) => boxOverlap(other.seen ?? other.box, place) > this.config.max_overlap);
      if (misses >= this.config.hold_frames || isSecond) return false;
      this.faces.push({ box, seen, score: face.score, misses, asked: last?.asked });
      return true;
    });
  }
}

/**
 * Intersection over union of two boxes (left, top, right, bottom).
 * @param {number[]} a
 * @param {number[]} b
 */
export function boxOverlap(a, b) {
  const asCorner = (/** @type {number[]} */ box) => [box[0], box[1], box[2] - box[0], box[3] - box[1]];
  return overlap(asCorner(a), asCorner(b));
}
