"use strict";

const js = require("@eslint/js");
const globals = require("globals");

module.exports = [
  { ignores: ["dist/", "reports/"] },
  js.configs.recommended,
  {
    files: ["**/*.js"],
    ignores: ["site/**"],
    languageOptions: { sourceType: "commonjs", globals: globals.node },
  },
  {
    files: ["test/**/*.js"],
    languageOptions: { globals: globals.mocha },
  },
  {
    files: ["site/**/*.js"],
    languageOptions: { sourceType: "module", globals: globals.browser },
  },
];
