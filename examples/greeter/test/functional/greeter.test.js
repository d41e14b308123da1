"use strict";

const assert = require("node:assert/strict");

const { PATIENCE_MS, below, get, required, settled } = require("./settled");

// The version that must answer; without one, whatever is deployed is tested.
const version = process.env.VERSION ?? process.env.GIT_COMMIT;

const SITE_EXAMPLE = "https://www.example.com/";

describe("API", () => {
  let greeting;

  before(async function () {
    this.timeout(PATIENCE_MS + 15_000);
    greeting = below(required("TARGET_URL", "https://example.com/test"), "greeting");
    await settled(greeting, version);
  });

  it("greets the world", async () => {
    const response = await get(greeting);
    assert.equal(response.status, 200);
    assert.equal((await response.json()).greeting, "Hello, world!");
  });

  it("greets a visitor in the visitor's language", async () => {
    const url = new URL(greeting);
    url.searchParams.set("name", "Ada & Bob");
    const response = await get(url, { "Accept-Language": "fr" });
    assert.equal((await response.json()).greeting, "Bonjour, Ada & Bob!");
  });

  it("may be called by the site, which has another origin", async () => {
    const { origin } = new URL(required("SITE_URL", SITE_EXAMPLE));
    const response = await get(greeting, { Origin: origin });
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
  });
});

describe("site", () => {
  let site;

  before(async function () {
    this.timeout(PATIENCE_MS + 15_000);
    site = required("SITE_URL", SITE_EXAMPLE);
    await settled(below(site, "config.json"), version);
  });

  it("serves the page", async () => {
    const response = await get(below(site, "index.html"));
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^text\/html/);
    assert.match(await response.text(), /<title>Greeter<\/title>/);
  });

  it("serves the script as JavaScript", async () => {
    const response = await get(below(site, "greeter.js"));
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /javascript/);
  });

  it("is configured for the API of its own stage", async () => {
    const config = await (await get(below(site, "config.json"))).json();
    const response = await get(below(config.apiBaseurl, "greeting"));
    assert.equal(response.status, 200);
    assert.equal((await response.json()).version, config.version);
  });
});
