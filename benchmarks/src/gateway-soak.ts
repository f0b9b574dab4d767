/**
 * Mixed load on one gateway, as many requests as an hour of a busy shop brings, and its memory beside that after the
 * first 2,000: uploads, links, items of several photos, large pictures, refused bodies, hosts that fail, callers who leave.
 *
 * SOAK_REQUESTS sets their number (default 20,000). The model tier answers at once.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { runLoad } from "./harness/http-load.js";
import { shippedModel, startInstantModelTier } from "./harness/instant-model-tier.js";
import { largePhotos, smallPhotos } from "./harness/photos.js";
import { metricOf, residentMiB, startVitrine } from "./harness/processes.js";

const REQUESTS = Number(process.env.SOAK_REQUESTS ?? 20_000);
const SETTLED = 2000;
const CLIENTS = 12;
const SAMPLES = 10;
const VERSION_FOLDER = fileURLToPath(new URL("../../models/clothing-model/2", import.meta.url));

const small = (await smallPhotos(40)).photos;
const large = (await largePhotos(2)).photos;
const host = createServer((request, response) => {
  if (request.url === "/404") response.writeHead(404).end();
  else if (request.url === "/cut") response.writeHead(200).write("\xff\xd8", () => response.destroy());
  else response.writeHead(200, { etag: `"${request.url}"` }).end(small[Number(request.url?.slice(1))]);
});
host.listen(0, "127.0.0.1");
await once(host, "listening");
const address = host.address();
const authority = typeof address === "object" ? `127.0.0.1:${address?.port}` : "";
const tier = await startInstantModelTier(await shippedModel(VERSION_FOLDER));
const gateway = await startVitrine([
  "gateway",
  ...["--port", "0", "--host", "127.0.0.1", "--tf-serving-host", `127.0.0.1:${tier.port}`],
  ...["--allow-image-host", authority, "--log-level", "warn", "--cache-bytes", String(8 * 1024 * 1024)],
]);

const json = (value: unknown) => ({
  path: "/predict",
  body: Buffer.from(JSON.stringify(value)),
  contentType: "application/json",
});
const picture = (body: Uint8Array | undefined) => ({
  path: "/predict",
  body: body ?? new Uint8Array(0),
  contentType: "image/jpeg",
});
const link = (path: number | string) => `http://${authority}/${path}`;

/** One of a hundred is a large picture, seven are refused, the rest are answered. */
function requestOf(index: number) {
  const photo = index % small.length;
  const kind = (index * 37) % 100;
  if (kind === 0) return picture(large[index % large.length]);
  if (kind === 1) return picture(small[photo]?.subarray(0, 500));
  if (kind === 2) return json({ url: link("404") });
  if (kind === 3) return json({ url: link("cut") });
  if (kind === 4) return json({ url: "http://169.254.169.254/latest/meta-data/" });
  if (kind === 5) return json({ picture: 1 });
  if (kind === 6) return { ...picture(Buffer.from("not a picture")), path: "/predict?format=scores" };
  if (kind === 7) return { ...picture(small[photo]), contentType: "text/plain" };
  if (kind < 20) return json({ urls: [link(photo), link((photo + 1) % small.length)] });
  if (kind < 50) return json({ url: link(photo) });
  return picture(Buffer.concat([small[photo] ?? Buffer.alloc(0), Buffer.from(String(index))]));
}

async function load(from: number, count: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const done = new AbortController();
  let sent = 0;
  const answers = await runLoad({
    url: gateway.ready,
    concurrency: CLIENTS,
    signal: done.signal,
    requestOf: () => {
      sent += 1;
      if (sent >= count) done.abort();
      return requestOf(from + sent);
    },
  });
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  return statuses;
}

try {
  await load(0, SETTLED);
  const settled = await residentMiB(gateway.pid);
  console.log(`after ${SETTLED} requests: ${settled.toFixed(0)} MiB`);
  const statuses = new Map<number, number>();
  let greatest = settled;
  let last = settled;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const each = await load(SETTLED + (sample * REQUESTS) / SAMPLES, REQUESTS / SAMPLES);
    for (const [status, count] of each) statuses.set(status, (statuses.get(status) ?? 0) + count);
    last = await residentMiB(gateway.pid);
    greatest = Math.max(greatest, last);
    console.log(`after ${SETTLED + ((sample + 1) * REQUESTS) / SAMPLES}: ${last.toFixed(0)} MiB`);
  }
  const held = await metricOf(gateway.ready, "vitrine_gateway_held_bytes");
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status}`);
  console.log(`answers: ${counts.join(", ")}; ${held} bytes held at the end`);
  console.log(
    `ratio ${(last / settled).toFixed(2)} (memory at the end / after the first ${SETTLED}), greatest ${(greatest / settled).toFixed(2)}`,
  );
} finally {
  await gateway.stop();
  tier.close();
  host.close();
  host.closeAllConnections();
}
