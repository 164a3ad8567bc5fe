#!/usr/bin/env python3
"""Counts the words of a text with a task for each paragraph, and adds them up. Line protocol, a coordinator.

It does nothing but wait, so it needs no second thread: a cancel of its task cancels what it waits for.
"""
import collections
import itertools
import json
import os
import sys

TYPE = os.environ.get("TYPE", "count")  # the type of the tasks
numbers = itertools.count(1)


def send(method, params, **rest):
    print(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **rest}), flush=True)


def messages():
    for line in iter(sys.stdin.buffer.readline, b""):
        if line.startswith(b"{"):  # other lines were typed by a person
            yield json.loads(line)


def call(method, **params):
    number = next(numbers)
    send(method, params, id=number)
    for message in messages():
        if message.get("id") == number:
            if "error" in message:
                raise RuntimeError(message["error"]["message"])
            return message["result"]
    sys.exit()  # Skein is gone


def gather(task, text):
    paragraphs = [p for p in text.split("\n\n") if p.strip()]
    spec = {"type": TYPE, "idempotency_key": f"gather {task}"}  # a second attempt gets the tasks of the first one
    fan = call("task.orchestrate", name="paragraphs", parent=task, task=spec, inputs=[{"text": p} for p in paragraphs], fail_fast=True)
    send("task.progress", {"task": task, "text": f"{len(paragraphs)} paragraphs"})
    end = call("task.wait", id=fan["id"])
    if end["state"] != "completed":
        raise RuntimeError(f"the paragraphs are {end['state']}: {end.get('message')}")
    total = collections.Counter()
    for part in json.loads(end["result"]["text"]):
        total.update(json.loads(part["output"]["text"]))
    return total


for message in messages():
    if message.get("method") != "task.run":
        continue
    task = message["params"]["task"]
    try:
        send("task.result", {"task": task, "output": gather(task, message["params"]["input"])})
    except Exception as error:
        send("task.error", {"task": task, "message": str(error)})
