"""A sink that waits at the dot, and counts round trips: wait_sink.py PORT MILLISECONDS [MAILS].

Ends after so many mails and prints: mails, connections, round trips a mail.  A round trip is one
turn of the dialogue: bytes came, all that could be answered was, and the server waits again.
"""
import asyncio
import sys

PORT, WAIT = int(sys.argv[1]), float(sys.argv[2]) / 1000
MAILS = int(sys.argv[3]) if len(sys.argv) > 3 else 0
count = {"mails": 0, "connections": 0, "turns": 0}
over = asyncio.Event()


async def talk(reader, writer):
    try:
        await dialogue(reader, writer)
    except ConnectionError:
        pass


async def dialogue(reader, writer):
    count["connections"] += 1
    writer.write(b"220 sink\r\n")
    buffer, in_text = b"", False
    while True:
        data = await reader.read(262144)
        if not data:
            break
        buffer += data
        answers, mails = b"", 0
        while True:
            if in_text:
                end = 0 if buffer.startswith(b".\r\n") else buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                buffer = buffer[end + (3 if buffer.startswith(b".\r\n") else 5):]
                in_text, mails = False, mails + 1
                if WAIT:
                    await asyncio.sleep(WAIT)
                answers += b"250 2.0.0 ok\r\n"
                continue
            line, found, rest = buffer.partition(b"\r\n")
            if not found:
                break
            buffer = rest
            verb = line[:4].upper()
            if verb == b"DATA":
                in_text = True
                answers += b"354 go\r\n"
            elif verb == b"EHLO":
                answers += b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n"
            elif verb == b"QUIT":
                answers += b"221 bye\r\n"
            else:
                answers += b"250 2.1.0 ok\r\n"
        if answers:
            count["turns"] += 1
            writer.write(answers)
        count["mails"] += mails
        if MAILS and count["mails"] >= MAILS:
            over.set()
    writer.close()


async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", PORT, limit=1 << 20)
    print("ready", flush=True)
    await over.wait()
    await asyncio.sleep(0.2)
    server.close()
    print(f"{count['mails']} mails, {count['connections']} connections, "
          f"{count['turns'] / count['mails']:.3f} round trips a mail")


asyncio.run(main())
