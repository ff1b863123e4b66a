// XML, JS, CSS: `./dev lint --only prettier`. OCA's settings, with the line length of the rest of the tree.
import {createRequire} from "node:module";

// `./dev lint` keeps its packages in the user's cache and names them in NODE_PATH, which `import` ignores
const require = createRequire(import.meta.url);

export default {
  plugins: [require.resolve("@prettier/plugin-xml")],
  bracketSpacing: false,
  printWidth: 110,
  proseWrap: "always",
  semi: true,
  tabWidth: 4,
  trailingComma: "es5",
  xmlWhitespaceSensitivity: "preserve",
  overrides: [{files: "*.mjs", options: {tabWidth: 2}}],
};
