/** The counterpart of pillow_loop.py where there is no Pillow: sharp decodes and resizes, one picture at a time. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";

const [folder = ".", seconds = "1", size = "256"] = process.argv.slice(2);
sharp.concurrency(1);
sharp.cache(false);
const names = (await readdir(folder)).sort();
const pictures = await Promise.all(names.map((name) => readFile(path.join(folder, name))));
console.log("ready");
let images = 0;
const cpuBegan = process.cpuUsage();
const ends = performance.now() + Number(seconds) * 1000;
while (performance.now() < ends) {
  const picture = pictures[images % pictures.length];
  await sharp(picture, { sequentialRead: true })
    .toColourspace("srgb")
    .resize(Number(size), Number(size), { fit: "fill", kernel: "linear", fastShrinkOnLoad: false })
    .raw()
    .toBuffer();
  images++;
}
const { user, system } = process.cpuUsage(cpuBegan);
console.log(images, (user + system) / 1e6);
