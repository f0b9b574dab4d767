// Draws trousers.jpg: a pair of trousers on a floor, stored lying on its side with EXIF orientation 6, as phones
// store portraits. Run: node tests/e2e/pictures/draw.js
import path from "node:path";
import sharp from "sharp";

const trousers = `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="640">
  <defs>
    <linearGradient id="floor" x2="0" y2="1">
      <stop stop-color="#d8cfc4"/><stop offset="1" stop-color="#b9ab9b"/>
    </linearGradient>
    <linearGradient id="denim" x2="1">
      <stop stop-color="#24344d"/><stop offset=".25" stop-color="#3d5578"/><stop offset=".48" stop-color="#263752"/>
      <stop offset=".55" stop-color="#2b3f5e"/><stop offset=".78" stop-color="#415b80"/><stop offset="1" stop-color="#22314a"/>
    </linearGradient>
  </defs>
  <rect width="480" height="640" fill="url(#floor)"/>
  <path d="M143 72h202l38 512-104 8-35-356-33 356-106-8z" fill="#8d8173"/>
  <path d="M140 60h200l42 516-108 10-32-366-34 366-110-10z" fill="url(#denim)"/>
  <path d="M140 60h200l3 34H137z" fill="#1f2d45"/>
  <path d="M240 94v126M150 96c4 40 26 56 48 58M330 96c-4 40-26 56-48 58M212 60v34M268 60v34" fill="none" stroke="#15203a" stroke-width="3"/>
  <path d="M99 560l110 10M382 560l-109 10" fill="none" stroke="#c79a4b" stroke-width="2" stroke-dasharray="6 4"/>
  <circle cx="240" cy="78" r="6" fill="#c9a24f"/>
</svg>`;

await sharp(Buffer.from(trousers))
  .rotate(-90)
  .jpeg({ quality: 80 })
  .withMetadata({ orientation: 6 })
  .toFile(path.join(import.meta.dirname, "trousers.jpg"));
