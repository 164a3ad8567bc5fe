#!/bin/sh
# Records the sessions that server/vt is tested with, as root: record.sh [NAMES, with commas between them]. What is not installed is left
# out. AGENTS is a folder in which npm has installed coding agents.
#
# The programs have a machine of their own: a network of loopback alone, other processes, another name, and a home with files of ours,
# so that a recording holds nothing of the machine on which it was made.
set -e
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -c -o "$work/vt.test" .
export AGENTS=${AGENTS:-../../e2e/agents} NAMES=${1:-all} WORK="$work"
unshare --net --uts --mount --pid --ipc --fork --mount-proc sh -e testdata/machine.sh
