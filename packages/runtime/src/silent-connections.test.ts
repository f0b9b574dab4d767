import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, test } from "vitest";
import { watchSilentConnections } from "./silent-connections.js";

test("a connection that never spoke is ended, one with a request under way is not", async () => {
  const server = createServer();
  const endSilent = watchSilentConnections(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const silent = connect(port, "127.0.0.1").resume();
  await once(silent, "connect");
  const answer = fetch(`http://127.0.0.1:${port}`);
  const [, response] = await once(server, "request");

  server.close();
  endSilent();
  await once(silent, "close");
  response.end("still here");
  expect(await (await answer).text()).toBe("still here");
});
