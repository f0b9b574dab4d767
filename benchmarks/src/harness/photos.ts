/** Photos to measure with: real ones where VITRINE_PHOTOS names a folder of them, else pictures drawn here. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";

export interface PhotoSet {
  readonly name: string;
  readonly photos: readonly Uint8Array[];
}

/** @param count how many photos; the classes take turns. */
export async function smallPhotos(count: number): Promise<PhotoSet> {
  const folder = process.env.VITRINE_PHOTOS;
  if (folder === undefined) {
    const photos = await Promise.all(Array.from({ length: count }, (_, index) => drawPhoto(400, 411, index)));
    return { name: "drawn pictures of 400x411", photos };
  }
  const names = (await readdir(path.join(folder, "validation"), { recursive: true })).filter((name) =>
    name.endsWith(".jpg"),
  );
  const step = Math.max(1, Math.floor(names.length / count));
  const chosen = names.sort().filter((_, index) => index % step === 0);
  const photos = await Promise.all(
    chosen.slice(0, count).map((name) => readFile(path.join(folder, "validation", name))),
  );
  return { name: `${photos.length} validation photos`, photos };
}

/** Pictures of 4000x3000, as a phone takes them. */
export async function largePhotos(count: number): Promise<PhotoSet> {
  const { photos } = await smallPhotos(count);
  const large = await Promise.all(
    photos.map((photo) => sharp(photo).resize(4000, 3000, { fit: "fill" }).jpeg({ quality: 90 }).toBuffer()),
  );
  return { name: `${large.length} pictures of 4000x3000`, photos: large };
}

/** A blurred noise picture: smooth areas and edges, so that its JPEG is about as large as a photo's. */
function drawPhoto(width: number, height: number, seed: number): Promise<Buffer> {
  const pixels = new Uint8Array(width * height * 3);
  let state = seed + 1;
  for (let index = 0; index < pixels.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[index] = ((index / 3 / width) % 200) + (state >>> 27);
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}
