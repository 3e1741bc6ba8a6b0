#!/usr/bin/python3
"""A service that takes e-mails and writes each into a file, a line of JSON.

    sink.py FILE [SECONDS]    prints the port that it listens on

SECONDS is how long it takes to answer.  Some recipients are special: of
"refused@..." it wants nothing, for "busy@..." it has no time at first, and
the first message to "slow@..." it takes without ever saying so.
"""
import http.server
import json
import sys
import threading
import time

lock = threading.Lock()
busy = set()
slow = threading.Event()


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        recipient = body["personalizations"][0]["to"][0]["email"]
        status = 202
        with lock:
            if recipient.startswith("refused@"):
                status = 400
            elif recipient.startswith("busy@") and key not in busy:
                busy.add(key)
                status = 503
            else:
                with open(sys.argv[1], "a") as file:
                    file.write(json.dumps({"key": key, "body": body}) + "\n")
        if recipient.startswith("slow@") and not slow.is_set():
            slow.set()
            time.sleep(3600)
        if len(sys.argv) > 2:
            time.sleep(float(sys.argv[2]))
        try:
            self.send_response(status)
            self.send_header("X-Message-Id", "id-of-" + key)
            if status == 503:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass  # the worker was killed

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_port, flush=True)
server.serve_forever()
