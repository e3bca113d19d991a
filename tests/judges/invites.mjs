// Reads invitations with ical.js; prints one JSON line a file.  Usage: node invites.mjs MODULES FILES-LIST
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";

const [modules, list] = process.argv.slice(2);
const found = createRequire(pathToFileURL(modules + "/")).resolve("ical.js");
const { default: ICAL } = await import(pathToFileURL(found));

for (const path of readFileSync(list, "utf8").split("\n").filter(Boolean)) {
	const calendar = new ICAL.Component(ICAL.parse(readFileSync(path, "utf8")));
	const events = calendar.getAllSubcomponents("vevent");
	const event = new ICAL.Event(events[0]);
	const zone = new ICAL.Timezone(calendar.getFirstSubcomponent("vtimezone"));
	console.log(JSON.stringify({
		path,
		method: calendar.getFirstPropertyValue("method"),
		events: events.length,
		alarms: events[0].getAllSubcomponents("valarm").length,
		summary: event.summary,
		description: event.description,
		location: event.location,
		uid: event.uid,
		attendees: event.attendees.map(a => a.getFirstValue()),
		names: event.attendees.map(a => a.getParameter("cn")),
		start: event.startDate.toString(),
		offset: zone.utcOffset(event.startDate),
	}));
}
