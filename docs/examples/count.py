#!/usr/bin/env python3
"""Counts how often each word occurs. One process per task."""
import collections
import json
import sys

words = collections.Counter(sys.stdin.read().lower().split())
if not words:
    sys.exit("there are no words")  # a message on stderr and exit code 1: the task fails
json.dump(words, sys.stdout, sort_keys=True)
