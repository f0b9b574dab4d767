/**
 * What preparing a picture costs beside Pillow: a file's bytes to 256x256 RGB, antialiased bilinear, in one thread.
 *
 * Rounds alternate with Pillow where VITRINE_PYTHON names a Python that has it; else only our figures are printed.
 * CPU time is compared, so a busy machine changes the ratio little. Then the pool: all cores, and its memory.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { createBaselineDecoder } from "@vitrine/gateway/pixels/jpeg-baseline";
import { preparePicture } from "@vitrine/gateway/pixels/prepare";
import { resize } from "@vitrine/gateway/pixels/resize";
import { createSimdResize } from "@vitrine/gateway/pixels/resize-simd";
import { createPreprocessor } from "@vitrine/gateway/preprocess";
import { type PreprocessPlan, planPreprocessing } from "@vitrine/gateway/preprocess-plan";
import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import sharp, { type Sharp } from "sharp";
import { largePhotos, type PhotoSet, smallPhotos } from "./harness/photos.js";
import { runBareLoop } from "./harness/processes.js";
import { median, spread } from "./harness/statistics.js";

const ROUNDS = 5;
const ROUND_SECONDS = 2;
const POOL_SECONDS = 5;
const POOL_CALLERS = 8;
const SIZE = 256;
const MAX_PIXELS = 50_000_000;
const PREPROCESSOR = {
  size: SIZE,
  resample: 2,
  do_rescale: false,
  do_normalize: false,
  vitrine: { orientation: "exif" },
};
const PLAN = planOf(PREPROCESSOR);
/** The contract's word that large photos may be decoded at reduced scale. */
const REDUCED_PLAN = planOf({ ...PREPROCESSOR, vitrine: { orientation: "exif", reduced_decode: true } });

/** What people send beside the JPEGs of cameras. */
const OTHER_KINDS: readonly (readonly [kind: string, encode: (image: Sharp) => Sharp])[] = [
  ["progressive JPEG", (image) => image.jpeg({ quality: 90, progressive: true })],
  ["PNG", (image) => image.png()],
  ["WebP", (image) => image.webp({ quality: 85 })],
];

function planOf(preprocessor: object): PreprocessPlan {
  const contract = contractFromFiles({ id2label: { 0: "any" } }, preprocessor);
  return planPreprocessing(contract.preprocessor, { dtype: DataType.DT_UINT8, shape: [-1, SIZE, SIZE, 3] });
}

const options = {
  maxPixels: MAX_PIXELS,
  resize: createSimdResize() ?? resize,
  decodeBaseline: createBaselineDecoder(),
  checkpoint: () => undefined,
};

sharp.concurrency(1);
sharp.cache(false);
for (const set of [await smallPhotos(60), await largePhotos(4)]) {
  await compareWithPillow(set, PLAN);
  await loadPool(set);
  for (const [kind, encode] of OTHER_KINDS) {
    const photos = await Promise.all(set.photos.slice(0, 16).map((photo) => encode(sharp(photo)).toBuffer()));
    await compareWithPillow({ name: `${set.name} as ${kind}`, photos }, PLAN);
  }
}
const large = await largePhotos(4);
await compareWithPillow(
  { ...large, name: `${large.name}, reduced decode against Pillow's full one` },
  REDUCED_PLAN,
);

async function compareWithPillow(set: PhotoSet, plan: PreprocessPlan): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-bench-"));
  try {
    await Promise.all(set.photos.map((photo, index) => writeFile(path.join(folder, `${index}.jpg`), photo)));
    await ourRound(set, plan, 1);
    const ours: number[] = [];
    const pillow: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(await ourRound(set, plan, ROUND_SECONDS));
      const theirs = await pillowRound(folder);
      if (theirs !== undefined) pillow.push(theirs);
    }
    console.log(`${set.name}, decode and bilinear ${SIZE}, CPU ms per picture:`);
    console.log(`  Vitrine ${spread(ours, 2)}`);
    if (pillow.length === 0) return;
    console.log(`  Pillow  ${spread(pillow, 2)}`);
    console.log(`  ratio   ${(median(pillow) / median(ours)).toFixed(2)} (above 1: Vitrine is faster)`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @returns CPU ms per picture. */
async function ourRound({ photos }: PhotoSet, plan: PreprocessPlan, seconds: number): Promise<number> {
  const ends = performance.now() + 1000 * seconds;
  const began = process.cpuUsage();
  let pictures = 0;
  while (performance.now() < ends) {
    await preparePicture(photos[pictures % photos.length] ?? new Uint8Array(0), plan, options);
    pictures += 1;
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000 / pictures;
}

/** @returns CPU ms per picture; undefined without a Python. */
async function pillowRound(folder: string): Promise<number | undefined> {
  const python = process.env.VITRINE_PYTHON;
  if (python === undefined) return undefined;
  const script = fileURLToPath(new URL("../src/harness/pillow_loop.py", import.meta.url));
  const [pictures, cpuSeconds] = await runBareLoop([
    python,
    script,
    folder,
    String(ROUND_SECONDS),
    String(SIZE),
  ]);
  return (1000 * (cpuSeconds ?? Number.NaN)) / (pictures ?? Number.NaN);
}

/** Several callers at once, one worker per core: pictures per second, this thread's event loop, and memory. */
async function loadPool({ name, photos }: PhotoSet): Promise<void> {
  const workers = availableParallelism();
  const preprocessor = createPreprocessor({ workers, maxPixels: MAX_PIXELS });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const { signal } = new AbortController();
  let pictures = 0;
  let mostResident = 0;
  const call = async (ends: number): Promise<void> => {
    while (performance.now() < ends) {
      await preprocessor.preprocess(photos[pictures % photos.length] ?? new Uint8Array(0), PLAN, signal);
      pictures += 1;
      mostResident = Math.max(mostResident, process.memoryUsage.rss());
    }
  };
  const loadFor = (seconds: number) => {
    const ends = performance.now() + 1000 * seconds;
    return Promise.all(Array.from({ length: POOL_CALLERS }, () => call(ends)));
  };
  await loadFor(1);
  pictures = 0;
  delay.enable();
  await loadFor(POOL_SECONDS);
  delay.disable();
  await preprocessor.close();
  console.log(`${name}, pool of ${workers}, ${POOL_CALLERS} callers:`);
  console.log(
    `  ${(pictures / POOL_SECONDS).toFixed(0)} pictures/s; event-loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms; ` +
      `memory at most ${(mostResident / 2 ** 20).toFixed(0)} MiB`,
  );
}
