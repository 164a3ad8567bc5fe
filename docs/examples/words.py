#!/usr/bin/env python3
"""Counts the words of each task, line by line, and keeps the number in memory. Line protocol, one task at a time.

The main thread reads and a second one works, so that a cancel takes effect at once.
"""
import itertools
import json
import os
import queue
import sys
import threading

PAUSE = float(os.environ.get("PAUSE", "0"))  # seconds per line, to simulate work
NOT_FOUND = -32002

printing = threading.Lock()
numbers = itertools.count(1)
answers = {}  # by the id of the request: a queue for its answer
tasks = queue.SimpleQueue()
canceled = threading.Event()  # set when the current task is canceled


def send(method, params, **rest):
    with printing:
        print(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **rest}), flush=True)


def call(method, **params):
    """Sends a request to Skein and returns its answer, which has "result" or "error"."""
    number, answer = next(numbers), queue.SimpleQueue()
    answers[number] = answer
    send(method, params, id=number)
    return answer.get()


def count(task, text):
    key = {"namespace": "words", "key": task}
    before = call("memory.retrieve", **key)
    if "result" in before:  # an earlier attempt has done the work
        return int(before["result"]["value"]["text"])
    if before["error"]["code"] != NOT_FOUND:
        raise RuntimeError(before["error"]["message"])
    words, lines = 0, text.splitlines()
    for done, line in enumerate(lines, 1):
        words += len(line.split())
        send("task.progress", {"task": task, "text": f"{words} words", "fraction": done / len(lines)})
        if canceled.wait(PAUSE):
            raise RuntimeError("canceled")
    stored = call("memory.store", **key, value={"text": str(words)}, ttl=3_600_000)
    if "error" in stored:
        raise RuntimeError(stored["error"]["message"])
    return words


def work():
    while True:
        task, text = tasks.get()
        try:
            send("task.result", {"task": task, "output": {"words": count(task, text)}})
        except Exception as error:
            send("task.error", {"task": task, "message": str(error)})


threading.Thread(target=work, daemon=True).start()
for line in sys.stdin.buffer:
    if not line.startswith(b"{"):  # typed by a person
        continue
    message = json.loads(line)
    params = message.get("params", {})
    if message.get("method") == "task.run":
        canceled.clear()
        tasks.put((params["task"], params["input"]))
    elif message.get("method") == "task.cancel":
        canceled.set()
    elif message.get("id") in answers:
        answers.pop(message["id"]).put(message)
