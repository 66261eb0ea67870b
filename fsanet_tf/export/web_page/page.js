/** The page: sources, controls, drawing, the strip of angles, the record of what was measured. */
import { formatAngle, load } from "./headpose.js";
import { Tracks } from "./smoothing.js";

/** @typedef {import("./pipeline.js").Face} Face */

const ANGLES = /** @type {const} */ (["yaw", "pitch", "roll"]);
const STRIP_S = 10;
const STRIP_DEG = 90;
const STRIP_EVERY_S = 0.1;
const DEFAULT_FRAME_US = 100_000; // of an animation that states none
const MAX_ROWS = 200_000; // of the record; then the oldest are dropped
const COLUMNS = "time_s,track,left,top,right,bottom,score,yaw,pitch,roll,uncertainty_deg";
const REASONS = /** @type {Record<string, string>} */ ({
  NotAllowedError: "The camera was refused. Allow it in the browser's settings for this page, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is used by another program.",
});

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html: expected an element ${id}`);
  return found;
}

const stage = element("stage", HTMLElement);
const video = element("video", HTMLVideoElement);
const overlay = element("overlay", HTMLCanvasElement);
const strip = element("strip", HTMLCanvasElement);
const message = element("message", HTMLElement);
const camera = element("camera", HTMLButtonElement);
const file = element("file", HTMLInputElement);
const networkChoice = element("network", HTMLSelectElement);
const styleChoice = element("style", HTMLSelectElement);
const smooth = element("smooth", HTMLInputElement);
const whose = element("whose", HTMLElement);
const download = element("download", HTMLButtonElement);
const rate = element("rate", HTMLOutputElement);
const values = ANGLES.map((name) => element(name, HTMLElement));
const labels = values.map((cell) => /** @type {HTMLElement} */ (cell.previousElementSibling));

/** @type {import("./headpose.js").HeadPose} */
let headpose;
/** @type {Tracks} */
let tracks;
/** @type {string[]} */
let record = [];
/** @type {{timeS: number, angles: number[]}[]} */
let history = [];
/** @type {number[]} */
let frameTimes = [];
/** @type {ImageBitmap | null} */
let photo = null;
let isMoving = false; // whether the photo is a frame of an animation
let stripTimeS = 0;
let source = 0; // counts sources, so that an answer for an earlier one is dropped

/**
 * Change a text, if it does change: the browser would lay the page out again.
 * @param {HTMLElement} place
 * @param {string} text
 */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** @param {string} text */
function say(text) {
  write(message, text);
}

/** @param {unknown} error */
function explain(error) {
  const name = error instanceof DOMException ? error.name : "";
  say(REASONS[name] ?? (error instanceof Error ? error.message : String(error)));
}

/** Stop the camera or video, and forget the last picture. */
function stop() {
  source += 1;
  const stream = video.srcObject;
  if (stream instanceof MediaStream) stream.getTracks().forEach((track) => track.stop());
  if (video.src) URL.revokeObjectURL(video.src);
  video.srcObject = null;
  video.removeAttribute("src");
  video.load();
  photo?.close();
  photo = null;
  isMoving = false;
  tracks = new Tracks(headpose.config.smoothing, headpose.config.live.min_overlap);
  history = [];
  frameTimes = [];
  rate.textContent = "";
  camera.textContent = "Start camera";
  overlay.getContext("2d")?.clearRect(0, 0, overlay.width, overlay.height);
}

async function startCamera() {
  stop();
  if (!window.isSecureContext || !navigator.mediaDevices) {
    say("Browsers open the camera only on https pages and on localhost. Open the page there, or open a file.");
    return;
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 60 }, facingMode: "user" },
      audio: false,
    });
    camera.textContent = "Stop camera";
    await play();
  } catch (error) {
    explain(error);
  }
}

/** Show the video and predict its frames. Those that come while one is in work are dropped, but for the newest. */
async function play() {
  const mine = source;
  await video.play();
  say("");
  let isNew = false;
  const next = () => {
    if (mine !== source || video.ended) return;
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(onFrame);
    else requestAnimationFrame(onFrame);
  };
  const onFrame = async () => {
    next();
    isNew = true;
    while (isNew && mine === source && !headpose.busy && video.videoWidth) {
      isNew = false;
      await predictFrame(mine);
    }
  };
  next();
}

/** @param {number} mine */
async function predictFrame(mine) {
  const timeS = performance.now() / 1000;
  try {
    const faces = await headpose.predict(video, { live: true });
    if (faces === null || mine !== source) return;
    say(faces.length ? "" : "No face found.");
    resizeOverlay(video.videoWidth, video.videoHeight);
    show(faces, timeS);
    frameTimes = [...frameTimes.filter((time) => time > timeS - 2), timeS];
    const seconds = timeS - frameTimes[0];
    if (seconds > 0) write(rate, `${((frameTimes.length - 1) / seconds).toFixed(0)} frames/s`);
  } catch (error) {
    explain(error);
  }
}

/**
 * Give the overlay the pixels of the picture; setting an equal size would clear and allocate it.
 * @param {number} width
 * @param {number} height
 */
function resizeOverlay(width, height) {
  if (overlay.width !== width) overlay.width = width;
  if (overlay.height !== height) overlay.height = height;
}

/**
 * Draw the faces, show and record their angles.
 * @param {Face[]} found
 * @param {number} timeS
 */
function show(found, timeS) {
  const faces = tracks.update(found, timeS, smooth.checked && (photo === null || isMoving));
  const context = overlay.getContext("2d");
  if (context) {
    context.clearRect(0, 0, overlay.width, overlay.height);
    if (photo) context.drawImage(photo, 0, 0);
    headpose.draw(context, faces, { style: styleChoice.value === "cube" ? "cube" : "axes" });
  }
  const first = faces.reduce((a, b) => ((a?.track ?? Infinity) < (b.track ?? Infinity) ? a : b), faces[0]);
  write(whose, faces.length > 1 ? `Face ${first.track} of ${faces.length}` : "");
  values.forEach((cell, i) => write(cell, first ? `${formatAngle(first[ANGLES[i]])}°` : "–"));
  if (first) history.push({ timeS, angles: ANGLES.map((name) => first[name]) });
  history = history.filter((point) => point.timeS > timeS - STRIP_S);
  if (timeS - stripTimeS > STRIP_EVERY_S || photo) drawStrip(timeS);
  for (const face of faces) {
    const numbers = [...face.box, face.score, face.yaw, face.pitch, face.roll];
    record.push(
      [timeS.toFixed(3), face.track, ...numbers.map((v) => v.toFixed(3)), face.uncertaintyDeg?.toFixed(3) ?? ""].join(),
    );
  }
  if (record.length > MAX_ROWS) record = record.slice(-MAX_ROWS / 2);
  download.disabled = record.length === 0;
}

/** @param {number} timeS */
function drawStrip(timeS) {
  stripTimeS = timeS;
  const context = strip.getContext("2d");
  if (!context) return;
  const { width, height } = strip;
  context.clearRect(0, 0, width, height);
  context.lineWidth = 1;
  context.strokeStyle = "gray";
  context.strokeRect(0, height / 2, width, 0);
  context.lineWidth = 2;
  context.fillStyle = "gray";
  context.font = "12px system-ui, sans-serif";
  context.fillText(`+${STRIP_DEG}°`, 4, 14);
  context.fillText(`-${STRIP_DEG}°`, 4, height - 5);
  ANGLES.forEach((_, i) => {
    context.strokeStyle = getComputedStyle(labels[i]).color; // differs in the dark
    context.beginPath();
    for (const point of history) {
      const x = width * (1 - (timeS - point.timeS) / STRIP_S);
      context.lineTo(x, height / 2 - (height / 2) * (point.angles[i] / STRIP_DEG));
    }
    context.stroke();
  });
}

/** @param {Blob} blob */
async function openFile(blob) {
  stop();
  const mine = source;
  if (blob.type.startsWith("video/")) {
    video.src = URL.createObjectURL(blob);
    video.loop = true;
    await play().catch(() => say("This browser cannot play that video."));
    return;
  }
  if (await playAnimation(blob, mine)) return;
  try {
    photo = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    say("This file is neither a picture nor a video that the browser can read.");
    return;
  }
  if (mine === source) await predictPhoto();
}

/**
 * Play an animated picture, frame by frame, until another source is opened.
 * @param {Blob} blob
 * @param {number} mine
 * @returns {Promise<boolean>} false if the picture is not animated, or the browser cannot say
 */
async function playAnimation(blob, mine) {
  if (!("ImageDecoder" in window) || !(await ImageDecoder.isTypeSupported(blob.type).catch(() => false))) return false;
  const decoder = new ImageDecoder({ data: blob.stream(), type: blob.type });
  try {
    await decoder.completed;
    const count = decoder.tracks.selectedTrack?.frameCount ?? 1;
    if (count < 2) return false;
    isMoving = true;
    for (let frameIndex = 0; mine === source; frameIndex = (frameIndex + 1) % count) {
      const start = performance.now();
      const { image } = await decoder.decode({ frameIndex });
      const bitmap = await createImageBitmap(image);
      const shownMs = (image.duration || DEFAULT_FRAME_US) / 1000;
      image.close();
      photo?.close();
      photo = bitmap;
      await predictPhoto();
      await new Promise((resolve) => setTimeout(resolve, shownMs - (performance.now() - start)));
    }
    return true;
  } catch {
    return false;
  } finally {
    decoder.close();
  }
}

async function predictPhoto() {
  if (!photo) return;
  try {
    const faces = await headpose.predict(photo, { live: isMoving });
    if (faces === null || !photo) return;
    resizeOverlay(photo.width, photo.height);
    say(faces.length ? "" : "No face found.");
    show(faces, performance.now() / 1000);
  } catch (error) {
    explain(error);
  }
}

function saveRecord() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${COLUMNS}\n${record.join("\n")}\n`], { type: "text/csv" }));
  link.download = "headpose.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

async function changeNetwork() {
  networkChoice.disabled = true;
  say("Loading …");
  try {
    await headpose.use(networkChoice.value);
    say("");
    await predictPhoto();
  } catch (error) {
    explain(error);
  } finally {
    networkChoice.disabled = false;
  }
}

camera.addEventListener("click", () => {
  if (video.srcObject) {
    stop();
    say("Start the camera, or open or drop a file.");
  } else void startCamera();
});
file.addEventListener("change", () => {
  if (file.files?.[0]) void openFile(file.files[0]);
  file.value = "";
});
networkChoice.addEventListener("change", () => void changeNetwork());
styleChoice.addEventListener("change", () => void predictPhoto());
download.addEventListener("click", saveRecord);
stage.addEventListener("dragover", (event) => {
  event.preventDefault();
  stage.classList.add("dropping");
});
stage.addEventListener("dragleave", () => stage.classList.remove("dropping"));
stage.addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("dropping");
  if (event.dataTransfer?.files[0]) void openFile(event.dataTransfer.files[0]);
});

try {
  headpose = await load();
  tracks = new Tracks(headpose.config.smoothing, headpose.config.live.min_overlap);
  for (const { name, bytes } of headpose.config.networks) {
    networkChoice.add(new Option(`${name} (${(bytes / 1e6).toFixed(1)} MB)`, name));
  }
  for (const control of [camera, file, networkChoice]) control.disabled = false;
  say("Start the camera, or open or drop a file.");
} catch (error) {
  explain(error);
}
