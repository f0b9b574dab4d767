/**
 * Draws the pictures that `vitrine bench` sends when it is given none: `node packages/cli/pictures/draw.js`.
 *
 * As photos of a shop that have been made small: 400 x 533 pixels, baseline JPEG of quality 85 with 4:2:0, edges,
 * smooth light and the noise of a sensor, so that bytes and decoding time are near those of photos.
 */
import path from "node:path";
import sharp from "sharp";

const [WIDTH, HEIGHT, COUNT] = [400, 533, 6];

for (let index = 0; index < COUNT; index++) {
  const noise = random(index + 1);
  const [cx, cy] = [0.35 + 0.3 * noise(), 0.4 + 0.2 * noise()];
  const colour = [noise(), noise(), noise()].map((part) => 40 + 170 * part);
  const pixels = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [u, v] = [x / WIDTH - cx, y / HEIGHT - cy];
      const isGarment = Math.abs(u) < 0.22 + 0.08 * Math.cos(9 * v + index) && Math.abs(v) < 0.35;
      const weave = isGarment ? 14 * Math.sin(x * 0.9 + index) * Math.sin(y * 0.7) : 3 * Math.sin(y * 0.2);
      const light = 0.75 + 0.25 * Math.cos(2 * u - v);
      const grain = 9 * (noise() + noise() - 1);
      for (let channel = 0; channel < 3; channel++) {
        const base = isGarment ? colour[channel] : 190 - 12 * channel;
        pixels[(y * WIDTH + x) * 3 + channel] = Math.max(0, Math.min(255, base * light + weave + grain));
      }
    }
  }
  await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .jpeg({ quality: 85 })
    .toFile(path.join(import.meta.dirname, `drawn-${index + 1}.jpg`));
}

/** Numbers from 0 to 1, the same ones for the same seed. */
function random(seed) {
  let state = seed * 2654435761;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
