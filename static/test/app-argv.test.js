import assert from 'node:assert/strict'
import test from 'node:test'
import { joinArgv, parseArgv, parsePairs, splitLines } from '../app/lib/argv.js'

/** @type {[text: string, argv: string[], error?: string][]} */
const commands = [
  ['', []],
  ['   ', []],
  ['date', ['date']],
  ['  sh   -c\tdate\n', ['sh', '-c', 'date']],
  ["sh -c 'date > f'", ['sh', '-c', 'date > f']],
  ['echo "a b"c', ['echo', 'a bc']],
  ['echo "" \'\'', ['echo', '', '']],
  [String.raw`echo "a \"b\" \n \\"`, ['echo', String.raw`a "b" \n ` + '\\']],
  [String.raw`echo 'a \ b'`, ['echo', String.raw`a \ b`]],
  [String.raw`echo a\ b \'`, ['echo', 'a b', "'"]],
  ['echo $HOME *.js', ['echo', '$HOME', '*.js']],
  ['echo Grüße 🪿', ['echo', 'Grüße', '🪿']],
  ['echo "open', ['echo', 'open'], 'The " is not closed.'],
  ["echo '", ['echo', ''], "The ' is not closed."],
  ['echo \\', ['echo'], 'There is nothing after the backslash at the end.'],
]

for (const [text, argv, error = ''] of commands) {
  test(`argv: ${JSON.stringify(text)}`, () => {
    const got = parseArgv(text)
    assert.deepEqual({ argv: got.argv, error: got.error }, { argv, error })
  })
}

test('argv: parsing a joined command returns its arguments', () => {
  for (const argv of [['sh', '-c', 'for i in 1 2; do echo "$i"; done'], ['', ' ', "it's", '"', '\\', 'a\nb', '#', '~', '{}'], ['plain', '--x=1', './y']]) {
    assert.deepEqual(parseArgv(joinArgv(argv)).argv, argv)
  }
})

test('argv: a command that expects a shell is recognized', () => {
  assert.equal(parseArgv('cat f | wc').shell, true)
  assert.equal(parseArgv("sh -c 'cat f | wc'").shell, false)
})

test('argv: one argument per line', () => {
  assert.deepEqual(splitLines(''), [])
  assert.deepEqual(splitLines('sh\n-c\ndate > f\n'), ['sh', '-c', 'date > f'])
  assert.deepEqual(splitLines('a\n\nb'), ['a', '', 'b'])
})

test('pairs: one per line', () => {
  assert.deepEqual(parsePairs('A=1\n\n B =x=y\n'), { pairs: { A: '1', B: 'x=y' }, error: '' })
  assert.equal(parsePairs('A=1\nnonsense').error, 'Line 2 is not NAME=value.')
  assert.equal(parsePairs('=x').error, 'Line 1 is not NAME=value.')
})
