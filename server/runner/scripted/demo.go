package scripted

// Demo is the script of an agent that has none: about two minutes of an agent at work on a small repair, with one warning
// and one question.
const Demo = `# Works like a coding agent: reads, edits, tests, asks once, finishes.
say Task: the login page forgets the address a visitor came from
wait 600ms..1500ms
say Reading README.md and the routes
wait 800ms..2s
say 14 routes in 3 files
wait 500ms..1200ms
repeat 6
  say Reading handler ${i} of 6
  wait 700ms..2500ms
end
say Found it: the redirect drops the query string
wait 2s..4s
say Plan: 1. a failing test  2. the repair  3. the whole suite
wait 1s..3s
say Writing a test for a visitor who comes from /fleet?status=failed
wait 4s..8s
say Running the new test
wait 2s..4s
warn FAIL: got /fleet, want /fleet?status=failed (as it should before the repair)
wait 1s..3s
say Repairing the redirect: 9 lines in one file
wait 5s..9s
say Running the new test again
wait 2s..4s
say ok
wait 1s..2s
idle 2s..4s
ask The old behaviour is documented. Shall I change the documentation as well?
say You said: ${reply}
wait 1s..2s
say Noted in the plan
wait 2s..4s
repeat 14
  say Suite: package ${i} of 14 ok
  wait 1500ms..4s
end
say All packages pass
wait 2s..4s
say Looking over the change once more
wait 4s..8s
repeat 3
  say Reviewing file ${i} of 3: nothing to add
  wait 2s..4s
end
say Writing the summary
wait 3s..6s
say Done: 2 files changed, 31 lines added, 4 removed, 1 test new
`
