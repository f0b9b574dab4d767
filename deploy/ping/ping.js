/** The smallest service: GET /ping answers PONG. Ends on SIGTERM when the open requests are answered. */
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const found = request.method === "GET" && request.url === "/ping";
  response.writeHead(found ? 200 : 404, { "content-type": "text/plain" });
  response.end(found ? "PONG\n" : "expected GET /ping\n");
});
server.listen(9696, "0.0.0.0", () => process.stdout.write("ready http://0.0.0.0:9696\n"));
process.on("SIGTERM", () => server.close());
