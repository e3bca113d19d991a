// nodemailer_send.cjs PORT N CONNECTIONS TEXT HTML: N mails like ours through nodemailer's pool, nothing written
// down; prints its seconds and its processor's seconds.
const fs = require('fs');
const nodemailer = require(process.env.NODEMAILER);
const [port, n, connections] = process.argv.slice(2, 5).map(Number);
const [text, html] = process.argv.slice(5).map(f => fs.readFileSync(f, 'utf8'));
const pool = nodemailer.createTransport({ pool: true, host: '127.0.0.1', port, secure: false, ignoreTLS: true,
	maxConnections: connections, maxMessages: Infinity });
const mail = i => ({
	envelope: { from: `bounce+${i}@zorg.example`, to: `b${i}@zorg.example` },
	from: { name: 'Team HR (Zorggroep)', address: 'nudge@zorg.example' },
	to: { name: 'Person ' + i, address: `b${i}@zorg.example` },
	replyTo: { name: 'Team HR', address: 'hr@zorg.example' },
	subject: `Pat${i}, a walk number 0?`, messageId: `<${i}.bench@zorg.example>`, date: new Date(),
	headers: { 'Auto-Submitted': 'auto-generated', 'List-Unsubscribe': `<https://nudge.example/u/${i}>`,
		'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
	text: text.replaceAll('Fatima', 'Pat' + i), html: html.replaceAll('Fatima', 'Pat' + i),
});
(async () => {
	const from = process.cpuUsage(), start = process.hrtime.bigint();
	let next = 0;
	const worker = async () => { while (next < n) await pool.sendMail(mail(next++)); };
	// twice as many as connections, so that none of them waits for us
	await Promise.all(Array.from({ length: 2 * connections }, worker));
	const used = process.cpuUsage(from);
	console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - start) / 1e9,
		cpu: (used.user + used.system) / 1e6 }));
	pool.close();
})();
