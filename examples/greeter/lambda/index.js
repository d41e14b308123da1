"use strict";

const fs = require("node:fs");
const path = require("node:path");

const { greet } = require("./greetings");

const VERSION_FILE = path.join(__dirname, "version.json");

/** The commit that `gulp package` wrote beside this file; none was in a working copy. */
function deployedVersion() {
  if (!fs.existsSync(VERSION_FILE)) {
    return "development";
  }
  return JSON.parse(fs.readFileSync(VERSION_FILE, "utf8")).version;
}

const version = deployedVersion();

/** The value of a header whatever its case: API Gateway hands on what the client sent. */
function header(event, name) {
  const entries = Object.entries(event.headers ?? {});
  return entries.find(([key]) => key.toLowerCase() === name)?.[1];
}

/** Answers an API Gateway proxy event. */
exports.handler = async (event) => {
  const name = event.queryStringParameters?.name;
  const { greeting, language } = greet(name, header(event, "accept-language"));
  return {
    statusCode: 200,
    headers: {
      // The site is served from another origin than the API.
      "Access-Control-Allow-Origin": "*",
      "Cache-Control": "no-store",
      "Content-Language": language,
      "Content-Type": "application/json; charset=utf-8",
      Vary: "Accept-Language",
    },
    body: JSON.stringify({ greeting, version }),
  };
};
