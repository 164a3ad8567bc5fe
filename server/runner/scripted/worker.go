package scripted

// Worker is what an agent of the built-in type worker runs: it takes tasks, one after the other, and gives the input
// of each back.
const Worker = `repeat forever
  take
  say ${task}: ${input}
  wait 200ms..800ms
  progress half of it is done
  wait 200ms..800ms
  result ${input}
end
`
