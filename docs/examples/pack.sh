#!/bin/sh
# Compresses its input into a file that is kept as an artifact. One process per task.
set -eu
gzip >"$SKEIN_OUTBOX/$SKEIN_TASK_ID.gz"
echo "$SKEIN_TASK_ID.gz"
