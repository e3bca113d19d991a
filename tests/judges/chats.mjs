// Reads chat messages as the systems' own or others' parsers do; prints one JSON line a file.
// Usage: node chats.mjs MODULES LIST   each line of LIST: FORMAT FILE; a file is what a parser gets.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";

const [modules, list] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const AC = require(modules + "/node_modules/adaptivecards/dist/adaptivecards.js");
const rocket = require("@rocket.chat/message-parser");
const discord = require("discord-markdown-parser");

// what a text is made of: kinds of nodes in order; text and code are both text, as often as they come
function shape(kinds) {
	return kinds.filter((k, i) => k !== "text" || kinds[i - 1] !== "text").join(" ");
}

function rocketNodes(node, out) {
	if (Array.isArray(node))
		node.forEach(n => rocketNodes(n, out));
	else if (node && typeof node === "object") {
		if (node.type === "PLAIN_TEXT" || node.type === "INLINE_CODE") {
			out.kinds.push("text");
			out.text += node.type === "INLINE_CODE" ? node.value.value : node.value;
		} else if (node.type === "EMOJI" && node.unicode) {
			out.kinds.push("text");
			out.text += node.unicode;
		} else if (node.type === "LINK" && node.value.src.value.startsWith("//")) {
			// a bare domain: Rocket.Chat links those whatever one does; it leads where it says
			out.kinds.push("text");
			out.text += node.value.label.map(l => l.value).join("");
		} else {
			out.kinds.push(node.type);
			rocketNodes(node.type === "LINK" ? node.value.label : node.value, out);
			out.kinds.push("/" + node.type);
		}
	}
	return out;
}

function discordNodes(node, out) {
	if (Array.isArray(node))
		node.forEach(n => discordNodes(n, out));
	else if (node.type === "text" || node.type === "twemoji") {
		out.kinds.push("text");
		out.text += node.content ?? node.name;
	} else {
		out.kinds.push(node.type);
		if (Array.isArray(node.content))
			discordNodes(node.content, out);
		out.kinds.push("/" + node.type);
	}
	return out;
}

function cardDefects(card) {
	const context = new AC.SerializationContext();
	const parsed = new AC.AdaptiveCard();
	parsed.parse(card, context);
	return [...parsed.validateProperties().validationEvents.map(e => e.message),
		...Array.from({ length: context.eventCount }, (_, i) => context.getEventAt(i).message)];
}

const judges = {
	rocketchat: text => rocketNodes(rocket.parse(text, { emoticons: false }), { kinds: [], text: "" }),
	discord: text => discordNodes(discord.parse(text, "extended"), { kinds: [], text: "" }),
	teams: text => ({ kinds: [], text: "", defects: cardDefects(JSON.parse(text)) }),
};
for (const line of readFileSync(list, "utf8").split("\n").filter(Boolean)) {
	const [format, path] = line.split(" ");
	const got = judges[format](readFileSync(path, "utf8"));
	console.log(JSON.stringify({ path, shape: shape(got.kinds), text: got.text, defects: got.defects ?? [] }));
}
