package scripted

// Worker is the script of the built-in type worker. It takes one task after the other and returns the input of each.
const Worker = `repeat forever
  take
  say ${task}: ${input}
  wait 200ms..800ms
  progress half of it is done
  wait 200ms..800ms
  result ${input}
end
`
