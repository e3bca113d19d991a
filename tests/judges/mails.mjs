// Reads mails with mailparser, postal-mime and (what is a calendar in them) ical.js; prints one JSON line a file.
// Usage: node mails.mjs MODULES LIST   each line of LIST: a file with a mail as it came; `error`: one of them gave up.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { domainToASCII, pathToFileURL } from "node:url";

const [modules, list] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const load = async name => (await import(pathToFileURL(require.resolve(name)))).default;
const { simpleParser } = require("mailparser");
const PostalMime = await load("postal-mime"), ICAL = await load("ical.js");

const digest = bytes => createHash("sha256").update(bytes).digest("hex");
// of a calendar the lines count: postal-mime hands them out with LF
const lines = (type, bytes) => /calendar|ics/.test(type) ? Buffer.from(bytes.toString("latin1").replaceAll("\r\n", "\n"), "latin1") : bytes;
const bare = id => (id ?? "").replace(/[<>]/g, "");
// mailparser shows domains in their own letters, the others as they stand
const mailboxes = list => list.map(a => [a.name, a.address.replace(/[^@]*$/, domainToASCII)]);

function attachment(type, name, cid, disposition, content) {
	return [type, name ?? "", bare(cid), disposition ?? "", digest(lines(type, content))];
}

async function byMailparser(raw) {
	// nothing is made of anything else: no text from HTML, no data: addresses instead of cid:
	const m = await simpleParser(raw, { keepCidLinks: true, skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true });
	return {
		from: mailboxes(m.from.value), to: mailboxes(m.to.value), replyTo: mailboxes(m.replyTo?.value ?? []),
		subject: m.subject, id: bare(m.messageId), answers: bare(m.inReplyTo), date: m.date.toISOString(),
		text: m.text, html: m.html,
		unsubscribe: m.headers.get("list")?.unsubscribe?.url ?? "",
		attachments: m.attachments.map(a => attachment(a.contentType, a.filename, a.contentId, a.contentDisposition, a.content)),
	};
}

async function byPostalMime(raw) {
	const m = await PostalMime.parse(raw, { attachmentEncoding: "arraybuffer" });
	const header = name => m.headers.find(h => h.key === name)?.value ?? "";
	return {
		from: mailboxes([m.from]), to: mailboxes(m.to), replyTo: mailboxes(m.replyTo ?? []),
		subject: m.subject, id: bare(m.messageId), answers: bare(m.inReplyTo), date: new Date(m.date).toISOString(),
		text: m.text, html: m.html,
		unsubscribe: bare(header("list-unsubscribe")),
		attachments: m.attachments.map(a => attachment(a.mimeType, a.filename, a.contentId, a.disposition, Buffer.from(a.content))),
		methods: m.attachments.filter(a => a.method).map(a => a.method),
	};
}

function byIcal(text) {
	const calendar = new ICAL.Component(ICAL.parse(text));
	const [vevent, ...others] = calendar.getAllSubcomponents("vevent");
	const event = new ICAL.Event(vevent);
	const zone = new ICAL.Timezone(calendar.getFirstSubcomponent("vtimezone"));
	const utc = time => new Date(Date.UTC(time.year, time.month - 1, time.day, time.hour, time.minute, time.second) -
		zone.utcOffset(time) * 1000).toISOString();
	return {
		method: calendar.getFirstPropertyValue("method"), others: others.length,
		uid: event.uid, sequence: event.sequence, status: vevent.getFirstPropertyValue("status"),
		summary: event.summary, description: event.description ?? "", location: event.location ?? "",
		starts: utc(event.startDate), ends: utc(event.endDate),
		organizer: [vevent.getFirstProperty("organizer").getParameter("cn"), event.organizer],
		attendees: event.attendees.map(a => [a.getParameter("cn"), a.getFirstValue()]),
		alarms: vevent.getAllSubcomponents("valarm").length,
	};
}

async function read(path) {
	const raw = readFileSync(path);
	const parsed = await PostalMime.parse(raw, { attachmentEncoding: "utf8" });
	const calendars = parsed.attachments.filter(a => /calendar|ics/.test(a.mimeType)).map(a => byIcal(a.content));
	return { path, mailparser: await byMailparser(raw), postal: await byPostalMime(raw), calendars };
}

for (const path of readFileSync(list, "utf8").split("\n").filter(Boolean))
	console.log(JSON.stringify(await read(path).catch(e => ({ path, error: e.message }))));
