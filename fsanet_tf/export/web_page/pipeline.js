/**
 * From the pixels of a frame to faces with head poses: detect, crop, predict, exactly as the Python package does.
 * Every constant comes from `headpose.json`, which `fsanet export` writes.
 *
 * @typedef {{data: Uint8ClampedArray, width: number, height: number}} Pixels RGBA, rows from the top
 * @typedef {[number, number, number, number]} Box left, top, right, bottom in pixels
 * @typedef {{box: Box, landmarkBox: Box, score: number}} Detection
 * @typedef {{yaw: number, pitch: number, roll: number, uncertaintyDeg: number | null}} Pose in degrees
 * @typedef {Detection & Pose & {track?: number}} Face
 * @typedef {{
 *   file: string, strides: number[], divisor: number, score_threshold: number, nms_threshold: number,
 *   top_k: number, landmark_side: number, landmark_drop: number
 * }} DetectorConfig
 * @typedef {{
 *   name: string, file: string, bytes: number, image_size: number, margin_ratio: number, square: boolean,
 *   uncertainty: boolean
 * }} NetworkConfig
 * @typedef {{inputNames: readonly string[], run: (feeds: Record<string, any>) => Promise<Record<string, any>>}} Session
 * @typedef {new (type: "float32", data: Float32Array, shape: number[]) => any} TensorClass
 */

/**
 * Halve a frame, each pixel the rounded mean of four, as `cv2.resize` with `INTER_AREA`.
 * @param {Pixels} frame
 * @returns {Pixels}
 */
export function halve({ data, width, height }) {
  const halfWidth = width >> 1;
  const halfHeight = height >> 1;
  const half = new Uint8ClampedArray(4 * halfWidth * halfHeight);
  for (let y = 0, to = 0; y < halfHeight; y++) {
    let from = 8 * y * width;
    for (let x = 0; x < halfWidth; x++, from += 8, to += 4) {
      const below = from + 4 * width;
      for (let c = 0; c < 3; c++) {
        half[to + c] =
          (data[from + c] + data[from + 4 + c] + data[below + c] + data[below + 4 + c] + 2) >> 2;
      }
    }
  }
  return { data: half, width: halfWidth, height: halfHeight };
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
 * Find the faces of a frame, as `cv2.FaceDetectorYN`.
 * @param {Session} session
 * @param {TensorClass} Tensor
 * @param {Pixels} frame
 * @param {DetectorConfig} config
 * @returns {Promise<Detection[]>} most certain first
 */
export async function detect(session, Tensor, frame, config) {
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
  return suppress(candidates, config).map(({ score, corner: [x, y, width, height] }) => {
    /** @type {Box} */
    const box = [x, y, x + width, y + height];
    return { box, score, landmarkBox: landmarkBox(box, config) };
  });
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
 * Intersection over union of two boxes (x, y, width, height).
 * @param {number[]} a
 * @param {number[]} b
 */
function overlap(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a[2] * a[3] + b[2] * b[3] - width * height);
}

/**
 * Estimate the box around the landmarks, from which networks are trained to crop.
 * @param {Box} box
 * @param {DetectorConfig} config
 * @returns {Box}
 */
export function landmarkBox([left, top, right, bottom], config) {
  const side = Math.max(right - left, bottom - top);
  const centerX = (left + right) / 2;
  const centerY = (top + bottom) / 2 + config.landmark_drop * side;
  const half = (side * config.landmark_side) / 2;
  return [centerX - half, centerY - half, centerX + half, centerY + half];
}

/**
 * Grow a box by the network's margin and clip it to the frame.
 * @param {Box} box
 * @param {NetworkConfig} network
 * @param {number} width
 * @param {number} height
 * @returns {Box} whole pixels; empty if the box lies outside
 */
export function growBox(box, network, width, height) {
  let [left, top, right, bottom] = box.map(Math.trunc);
  if (network.square) {
    const missing = Math.abs(right - left - (bottom - top));
    const before = Math.floor(missing / 2);
    if (right - left < bottom - top) {
      [left, right] = [left - before, right + missing - before];
    } else {
      [top, bottom] = [top - before, bottom + missing - before];
    }
  }
  const marginX = network.margin_ratio * (right - left);
  const marginY = network.margin_ratio * (bottom - top);
  return [
    Math.max(Math.trunc(left - marginX), 0),
    Math.max(Math.trunc(top - marginY), 0),
    Math.min(Math.trunc(right + marginX), width - 1),
    Math.min(Math.trunc(bottom + marginY), height - 1),
  ];
}

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
 * Cut a box of whole pixels out of a frame and resize it to a square, as `cv2.resize` (bilinear), into BGR values.
 * @param {Pixels} frame
 * @param {Box} box
 * @param {number} size
 * @param {Float32Array} crop receives `(size, size, 3)`
 */
export function cropAndResize({ data, width }, [left, top, right, bottom], size, crop) {
  const columns = right - left;
  const rows = bottom - top;
  if (columns === 2 * size && rows === 2 * size) {
    averageFour({ data, width }, left, top, size, crop); // OpenCV's own special case
    return;
  }
  const across = taps(columns, size, true);
  const down = taps(rows, size, false);
  const line = () => new Int32Array(3 * size);
  /** @type {Map<number, Int32Array>} */
  let lines = new Map();
  for (let y = 0, to = 0; y < size; y++) {
    const { start, next, first, second } = down[y];
    /** @type {Map<number, Int32Array>} */
    const needed = new Map();
    for (const row of [start, next]) {
      let values = lines.get(row) ?? needed.get(row);
      if (!values) {
        values = line();
        const origin = 4 * ((top + row) * width + left);
        for (let x = 0, at = 0; x < size; x++) {
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
    for (let i = 0; i < 3 * size; i++) {
      crop[to++] = ((((first * (above[i] >> 4)) >> 16) + ((second * (below[i] >> 4)) >> 16) + 2) >> 2);
    }
  }
}

/**
 * @param {{data: Uint8ClampedArray, width: number}} frame
 * @param {number} left
 * @param {number} top
 * @param {number} size
 * @param {Float32Array} crop
 */
function averageFour({ data, width }, left, top, size, crop) {
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = 4 * ((top + 2 * y) * width + left + 2 * x);
      const below = at + 4 * width;
      for (let c = 2; c >= 0; c--) {
        crop[to++] = (data[at + c] + data[at + 4 + c] + data[below + c] + data[below + 4 + c] + 2) >> 2;
      }
    }
  }
}

/**
 * Predict the poses of detected faces; one whose crop contains no pixel is left out.
 * @param {Session} session
 * @param {TensorClass} Tensor
 * @param {Pixels} frame
 * @param {Detection[]} detections
 * @param {NetworkConfig} network
 * @returns {Promise<Face[]>}
 */
export async function predictPoses(session, Tensor, frame, detections, network) {
  const size = network.image_size;
  const boxes = detections.map((face) => growBox(face.landmarkBox, network, frame.width, frame.height));
  const inside = boxes.map(([left, top, right, bottom]) => left < right && top < bottom);
  const kept = detections.filter((_, i) => inside[i]);
  if (kept.length === 0) return [];
  const values = 3 * size * size;
  const crops = new Float32Array(values * kept.length);
  boxes
    .filter((_, i) => inside[i])
    .forEach((box, i) => cropAndResize(frame, box, size, crops.subarray(i * values, (i + 1) * values)));
  const input = new Tensor("float32", crops, [kept.length, size, size, 3]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const poses = outputs.pose.data;
  const expected = outputs.uncertainty_deg?.data;
  return kept.map((face, i) => ({
    ...face,
    yaw: poses[3 * i],
    pitch: poses[3 * i + 1],
    roll: poses[3 * i + 2],
    uncertaintyDeg: expected ? expected[i] : null,
  }));
}
