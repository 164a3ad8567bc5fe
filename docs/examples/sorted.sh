#!/bin/sh
# Sorts the lines of each task. Line protocol, one task at a time, with nothing but a POSIX shell and base64. The work
# is done in the background, so that a cancel takes effect at once.

tell() { # METHOD REST-OF-PARAMS
	printf '{"jsonrpc":"2.0","method":"%s","params":{"task":"%s",%s}}\n' "$1" "$task" "$2"
}

string() { # NAME: the decoded value of this string member of the message. \u escapes are not decoded
	rest=${line#*"\"$1\":\""}
	printf %b "$(printf '%s\n' "$rest" | sed -E 's/^(([^"\\]|\\.)*)".*/\1/; s/\\(["/])/\1/g')"
}

work() {
	trap 'rm -f "$task".*' EXIT
	trap 'kill "$!"; exit' TERM
	tell task.progress '"text":"sorting"'
	sleep "${PAUSE:-0}" & # to simulate work
	wait "$!"
	if LC_ALL=C sort <"$task.in" >"$task.out"; then
		tell task.result "\"output_base64\":\"$(base64 <"$task.out" | tr -d '\n')\""
	else
		tell task.error '"message":"sort failed","retryable":true'
	fi
}

while IFS= read -r line; do
	case $line in
	'{'*'"method":"task.run"'*)
		task=$(string task)
		string input >"$task.in"
		work &
		job=$!
		;;
	'{'*'"method":"task.cancel"'*)
		kill "$job"
		tell task.error '"message":"canceled"'
		;;
	esac
done
