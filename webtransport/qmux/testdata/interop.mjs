// The other side of interop_test.go: @moq/qmux as client or server.
//
//	node interop.mjs <node_modules> dial <url> <subprotocol> <config>
//	node interop.mjs <node_modules> listen <subprotocol> <config>
//
// config is @moq/qmux's, as JSON numbers. The test drives: each stream that it opens begins with a line, a command of
// `commands` below. What happens to the session is reported on stdout, a JSON object a line; a listener first reports
// its port. The process ends with its session.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// Node 20 has neither of these.
Promise.withResolvers ??= function () {
	let resolve, reject;
	const promise = new this((yes, no) => {
		resolve = yes;
		reject = no;
	});
	return { promise, resolve, reject };
};

const [modules, role, ...args] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, path)).href);
const { WebSocket, WebSocketServer } = await load("ws/wrapper.mjs");
globalThis.WebSocket ??= WebSocket;
const { default: Session, StreamError } = await load("@moq/qmux/index.js");

const report = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const bytes = (text) => new TextEncoder().encode(text);
const config = Object.fromEntries(Object.entries(JSON.parse(args.at(-1))).map(([k, v]) => [k, BigInt(v)]));
const noise = (n, seed) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8) + seed) & 0xff);

async function serve(session) {
	echoDatagrams(session);
	acceptStreams(session);
	try {
		const { closeCode, reason } = await session.closed;
		report({ closeCode, reason });
	} catch (err) {
		report({ error: String(err) });
	}
}

async function echoDatagrams(session) {
	const writer = session.datagrams.writable.getWriter();
	try {
		for await (const datagram of session.datagrams.readable) await writer.write(datagram);
	} catch {
		// The session is over, which serve reports.
	}
}

async function acceptStreams(session) {
	try {
		for await (const stream of session.incomingBidirectionalStreams) handle(session, stream);
	} catch {
		// As above.
	}
}

async function handle(session, { readable, writable }) {
	const reader = readable.getReader();
	const { line, rest } = await firstLine(reader);
	const [command, ...words] = line.split(" ");
	try {
		await commands[command]({ session, reader, rest, writer: writable.getWriter(), words });
	} catch (err) {
		console.error(line, err);
	}
}

async function firstLine(reader) {
	let buffer = new Uint8Array();
	for (;;) {
		const { value, done } = await reader.read();
		if (done) throw new Error("a stream ended within its first line");
		buffer = Uint8Array.from([...buffer, ...value]);
		const end = buffer.indexOf(10);
		if (end >= 0) return { line: new TextDecoder().decode(buffer.subarray(0, end)), rest: buffer.subarray(end + 1) };
	}
}

const commands = {
	async echo({ reader, writer, rest }) {
		if (rest.byteLength > 0) await writer.write(rest);
		for (;;) {
			const { value, done } = await reader.read();
			if (done) break;
			await writer.write(value);
		}
		await writer.close();
	},

	/** abort <code>: reset our direction. */
	async abort({ writer, words }) {
		await writer.write(bytes("doomed"));
		await writer.abort(new StreamError(Number(words[0])));
	},

	/** cancel <code>: want no more of what the test sends. */
	async cancel({ reader, writer, words }) {
		await reader.cancel(new StreamError(Number(words[0])));
		await writer.write(bytes("cancelled"));
		await writer.close();
	},

	/** reset: tell with which code the test resets its direction. */
	async reset({ reader, writer }) {
		await writer.write(bytes("ready"));
		try {
			while (!(await reader.read()).done);
			await writer.write(bytes("no reset"));
		} catch (err) {
			await writer.write(bytes(`${err.streamErrorCode}`));
		}
		await writer.close();
	},

	/** stopped: write until the test stops it, and tell the code on a stream of its own. */
	async stopped({ session, writer }) {
		// The write under way may fail for want of the stream's state; `closed` has the reason.
		const code = writer.closed.catch((err) => err.streamErrorCode);
		try {
			for (;;) await writer.write(noise(1000, 0));
		} catch {
			// It was stopped.
		}
		const { writable } = await session.createBidirectionalStream();
		const out = writable.getWriter();
		await out.write(bytes(`${await code}`));
		await out.close();
	},

	/** open <streams> <size>: open streams that the test echoes, and compare. */
	async open({ session, writer, words }) {
		const [count, size] = words.map(Number);
		const same = await Promise.all(Array.from({ length: count }, (_, i) => compare(session, noise(size, i))));
		await writer.write(bytes(same.every(Boolean) ? "same" : "different"));
		await writer.close();
	},

	/** close <code> <reason>: end the session. */
	async close({ session, words }) {
		session.close({ closeCode: Number(words[0]), reason: words.slice(1).join(" ") });
	},
};

async function compare(session, data) {
	const { readable, writable } = await session.createBidirectionalStream();
	const writer = writable.getWriter();
	const sent = (async () => {
		for (let at = 0; at < data.length; at += 5000) await writer.write(data.subarray(at, at + 5000));
		await writer.close();
	})();
	let at = 0;
	let same = true;
	for await (const chunk of readable) {
		same &&= chunk.every((b, i) => b === data[at + i]);
		at += chunk.byteLength;
	}
	await sent;
	return same && at === data.length;
}

if (role === "dial") {
	const [url, protocol] = args;
	await serve(new Session(url, { protocols: [protocol], requireProtocol: true, config }));
} else {
	const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => args[0] });
	server.on("listening", () => report({ port: server.address().port }));
	server.on("connection", async (socket) => {
		await serve(Session.accept(socket, { config }));
		server.close();
	});
}
