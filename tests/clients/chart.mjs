// Reads the chart of each page with Mermaid's own parser, and prints as JSON what is in it.
import { readFileSync } from "node:fs";

import { parse } from "@mermaid-js/parser";

const charts = {};
for (const path of process.argv.slice(1)) {
  const [, chart] = readFileSync(path, "utf8").split(/^```(?:mermaid)?$/m);
  const pie = await parse("pie", `${chart.trim()}\n`);
  charts[path] = pie.sections.map(({ label, value }) => [label, value]);
}
console.log(JSON.stringify(charts));
