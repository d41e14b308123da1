import assert from "node:assert/strict";
import { test } from "node:test";

test("the deployed function greets", async () => {
  const answer = await fetch(process.env.TARGET_URL);
  assert.equal(await answer.text(), "Hello, world!");
});
