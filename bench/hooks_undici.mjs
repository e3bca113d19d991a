// The same requests by undici's pool.  Usage: node hooks_undici.mjs MODULES URL CONNECTIONS REQUESTS BODYFILE [CA]
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";

const [modules, url, connections, requests, file, ca] = process.argv.slice(2);
const { Pool } = createRequire(pathToFileURL(modules + "/"))("undici");
const { origin, pathname } = new URL(url);
const pool = new Pool(origin, {
	connections: Number(connections), pipelining: 1, connect: ca ? { ca: readFileSync(ca) } : {},
});
const body = readFileSync(file);
let sent = 0, good = 0;

async function worker() {
	while (sent < Number(requests)) {
		sent++;
		const answer = await pool.request({ path: pathname, method: "POST", headers: { "content-type": "application/json" }, body });
		await answer.body.dump();
		good += answer.statusCode === 200;
	}
}
const start = process.hrtime.bigint();
await Promise.all(Array.from({ length: Number(connections) }, worker));
console.log((Number(process.hrtime.bigint() - start) / 1e9).toFixed(6), good, sent);
await pool.close();
