"use strict";

const assert = require("node:assert/strict");

const { greet } = require("../../lambda/greetings");

describe("greetings", () => {
  it("greets the world when nobody is named", () => {
    assert.deepEqual(greet(undefined, undefined), { greeting: "Hello, world!", language: "en" });
  });

  it("greets a visitor by name", () => {
    assert.equal(greet(" Ada ", "en").greeting, "Hello, Ada!");
  });

  it("speaks the visitor's preferred language", () => {
    assert.equal(greet("Ada", "pt;q=0.9, fr;q=0.8, en;q=0.5").greeting, "Bonjour, Ada!");
  });

  it("falls back to English for a language it does not speak", () => {
    assert.equal(greet("Ada", "ja").greeting, "Hello, Ada!");
  });

  it("cuts a name that is too long", () => {
    assert.equal(greet("a".repeat(1000), "en").greeting, `Hello, ${"a".repeat(80)}!`);
  });
});
