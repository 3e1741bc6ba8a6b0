#!/usr/bin/python3
"""An example of a worker: sends the e-mails of a store's outbox to a service
that takes them as SendGrid does, by HTTP.

    worker.py DSN STORE URL [--poll SECONDS] [--idle SECONDS] [--lease INTERVAL] [--name NAME]

As many as you like can run at once, and be killed at any time.  With --idle it
ends when there has been nothing to do for so long.
"""
import argparse
import json
import select
import time
import urllib.error
import urllib.request

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import sql

arguments = argparse.ArgumentParser()
arguments.add_argument("dsn")
arguments.add_argument("store")
arguments.add_argument("url")
arguments.add_argument("--poll", type=float, default=10)
arguments.add_argument("--idle", type=float)
arguments.add_argument("--lease", default="5 minutes")
arguments.add_argument("--name")
arguments = arguments.parse_args()

# Each statement is a transaction: what was claimed is ours before it is sent.
connection = psycopg2.connect(arguments.dsn)
connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
cursor = connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor)
cursor.execute("LISTEN crm_outbox")


def call(function, *values):
    """What a function of the store returns, row by row."""
    cursor.execute(sql.SQL("SELECT * FROM {}.{}({})").format(sql.Identifier(arguments.store), sql.Identifier(function),
                   sql.SQL(", ").join(sql.Placeholder() * len(values))), values)
    return cursor.fetchall()


def send(message):
    """Hands a message to the service; gives its id there."""
    to = message.payload.get("to", {"email": message.address})
    body = {
        "personalizations": [{"to": [to], "dynamic_template_data": message.payload.get("merge_fields", {}),
                              # comes back with each event: for record_event()
                              "custom_args": {"message_id": str(message.message_id)}}],
        "template_id": message.payload.get("template", message.kind),
    }
    request = urllib.request.Request(arguments.url, json.dumps(body).encode(),
                                     # a service that knows the key sends it once, should we have to try again
                                     {"Content-Type": "application/json", "Idempotency-Key": f"{arguments.store}-{message.message_id}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers.get("X-Message-Id")


busy_at = time.monotonic()
while not arguments.idle or time.monotonic() - busy_at < arguments.idle:
    messages = call("claim_messages", 10, arguments.lease, "email", arguments.name)
    for message in messages:
        try:
            provider_id = send(message)
        except urllib.error.HTTPError as error:
            # 4xx: it will never take this one; but for 408 and 429, later
            retry = error.code >= 500 or error.code in (408, 429)
            after = error.headers.get("Retry-After", "")
            call("fail", message.message_id, f"HTTP status {error.code}", retry, f"{after} seconds" if after.isdigit() else None, message.attempt)
        except OSError as error:
            call("fail", message.message_id, str(error), True, None, message.attempt)
        else:
            call("acknowledge", message.message_id, provider_id)
    if messages:
        busy_at = time.monotonic()
    else:
        # what is due later is not announced again, so look now and then
        select.select([connection], [], [], arguments.poll)
        connection.poll()
        connection.notifies.clear()
