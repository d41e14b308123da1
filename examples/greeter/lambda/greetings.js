"use strict";

const Negotiator = require("negotiator");

const GREETINGS = new Map([
  ["en", "Hello"],
  ["de", "Hallo"],
  ["fr", "Bonjour"],
  ["es", "Hola"],
]);

const DEFAULT_LANGUAGE = "en";
const DEFAULT_NAME = "world";
const LONGEST_NAME = 80;

/** The language of ours that suits an `Accept-Language` header best. */
function languageFor(acceptLanguage) {
  const negotiator = new Negotiator({ headers: { "accept-language": acceptLanguage } });
  return negotiator.language([...GREETINGS.keys()]) ?? DEFAULT_LANGUAGE;
}

/** Greets `name` (or the world) in the visitor's language. */
function greet(name, acceptLanguage) {
  const language = languageFor(acceptLanguage);
  const who = (name ?? "").trim().slice(0, LONGEST_NAME) || DEFAULT_NAME;
  return { greeting: `${GREETINGS.get(language)}, ${who}!`, language };
}

module.exports = { greet };
