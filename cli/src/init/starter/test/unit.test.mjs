import assert from "node:assert/strict";
import { test } from "node:test";

import { handler } from "../src/app.mjs";

test("greets by name", async () => {
  const answer = await handler({ queryStringParameters: { name: "Ada" } });
  assert.equal(answer.body, "Hello, Ada!");
});
