// nodemailer.cjs TEXT HTML LOGO: the same mail (the parts that nudge preview gives) built by nodemailer, over and
// over with another name, link and Message-ID; prints mails a second of processor time.
const fs = require('fs');
const MailComposer = require(process.env.NODEMAILER + '/lib/mail-composer');
const [text, html, logo] = process.argv.slice(2).map(f => fs.readFileSync(f));
const build = i => new Promise((done, failed) => new MailComposer({
	from: { name: 'Team HR (Zorg)', address: 'nudge@zorg.example' },
	to: { name: 'Fatima van den Berg', address: 'fatima@zorg.example' },
	replyTo: { name: 'Team HR', address: 'hr@zorg.example' },
	subject: 'Fatima, loop je een rondje mee?',
	messageId: `<${i}@zorg.example>`,
	date: new Date(1767700000000),
	headers: { 'Auto-Submitted': 'auto-generated', 'List-Unsubscribe': `<https://nudge.example/u/${i}>`,
		'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
	text: text.toString().replaceAll('Fatima', 'Name' + i),
	html: html.toString().replaceAll('Fatima', 'Name' + i),
	attachments: [{ cid: 'logo', filename: 'logo.svg', content: logo, contentType: 'image/svg+xml',
		contentDisposition: 'inline' }],
}).compile().build((e, mail) => e ? failed(e) : done(mail)));
(async () => {
	for (let i = 0; i < 500; i++) await build(i);
	const from = process.cpuUsage(), n = 3000;
	for (let i = 0; i < n; i++) await build(i);
	const used = process.cpuUsage(from);
	console.log(Math.round(n / ((used.user + used.system) / 1e6)));
})();
