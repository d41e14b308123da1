"use strict";

const assert = require("node:assert/strict");

const { handler } = require("../../lambda");

describe("handler", () => {
  it("answers with the greeting and its version as JSON", async () => {
    const response = await handler({ queryStringParameters: { name: "Ada" }, headers: {} });
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers["Content-Type"], "application/json; charset=utf-8");
    assert.deepEqual(JSON.parse(response.body), {
      greeting: "Hello, Ada!",
      version: "development",
    });
  });

  it("reads the language from a header of any case", async () => {
    const response = await handler({ headers: { "ACCEPT-LANGUAGE": "de-AT" } });
    assert.equal(JSON.parse(response.body).greeting, "Hallo, world!");
  });

  it("answers an event without query and headers", async () => {
    const response = await handler({ queryStringParameters: null, headers: null });
    assert.equal(JSON.parse(response.body).greeting, "Hello, world!");
  });
});
