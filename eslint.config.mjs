// The browser side: `./dev lint --only eslint`. eslint's recommended rules, and OCA's on top of them.
import {createRequire} from "node:module";

// `./dev lint` keeps its packages in the user's cache and names them in NODE_PATH, which `import` ignores
const require = createRequire(import.meta.url);
const js = require("@eslint/js");
const globals = require("globals");

const ocaRules = {
  "array-callback-return": "error",
  complexity: ["error", 12],
  "dot-notation": "error",
  eqeqeq: "error",
  "max-depth": ["error", 4],
  "max-lines-per-function": ["error", {max: 60}],
  "no-alert": "error",
  "no-caller": "error",
  "no-console": ["error", {allow: ["warn", "error"]}],
  "no-duplicate-imports": "error",
  "no-else-return": "error",
  "no-eval": "error",
  "no-extend-native": "error",
  "no-extra-bind": "error",
  "no-implied-eval": "error",
  "no-lonely-if": "error",
  "no-new-func": "error",
  "no-new-wrappers": "error",
  "no-param-reassign": "error",
  "no-return-assign": "error",
  "no-script-url": "error",
  "no-self-compare": "error",
  "no-sequences": "error",
  "no-shadow": "error",
  "no-throw-literal": "error",
  "no-unneeded-ternary": "error",
  "no-unused-expressions": ["error", {allowShortCircuit: true, allowTernary: true}],
  // The arguments of a hook are the caller's
  "no-unused-vars": ["error", {args: "none"}],
  "no-use-before-define": ["error", {functions: false}],
  "no-useless-call": "error",
  "no-useless-concat": "error",
  "no-useless-constructor": "error",
  "no-useless-rename": "error",
  "no-var": "error",
  "operator-assignment": "error",
  "prefer-const": "error",
  radix: "error",
  "spaced-comment": "error",
  yoda: "error",
};

export default [
  js.configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: {
      ecmaVersion: 2022, // What the bundles of 17.0 take
      sourceType: "module",
      globals: {...globals.browser, luxon: "readonly", odoo: "readonly", owl: "readonly"},
    },
    linterOptions: {reportUnusedDisableDirectives: "error"},
    rules: ocaRules,
  },
  {
    files: ["**/*.mjs"],
    languageOptions: {sourceType: "module", globals: globals.node},
  },
];
