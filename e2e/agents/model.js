import { createServer } from 'node:http'

/** What the model says when nothing is to be done, and after its tool call. */
export const SAYS = 'All is done.'

/** The word in a prompt for which the model calls the agent's shell, with the command after it. */
export const RUN = 'RUN:'

/** The word in a prompt for which the model stores what follows by the MCP server of Skein. */
export const KEEP = 'KEEP:'

const SHELLS = ['bash', 'run_shell_command', 'shell']

/**
 * A model on an OpenAI-compatible endpoint, as far as these agents use one: it streams, and calls a shell when it is told to.
 * @returns {Promise<{url: string, close: () => void}>}
 */
export async function model() {
  const server = createServer((req, res) => {
    let body = ''
    req.setEncoding('utf8')
    req.on('data', (/** @type {string} */ s) => (body += s))
    req.on('end', () => answer(res, body ? JSON.parse(body) : {}))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return { url: `http://127.0.0.1:${port}/v1`, close: () => server.close() }
}

/** @param {import('node:http').ServerResponse} res @param {{messages?: any[], tools?: any[]}} request */
function answer(res, { messages = [], tools = [] }) {
  const shell = tools.map((t) => t.function?.name).find((name) => SHELLS.includes(name))
  const last = messages.at(-1)
  const text = typeof last?.content === 'string' ? last.content : (last?.content ?? []).map((/** @type {any} */ c) => c.text ?? '').join('\n')
  const memory = tools.map((t) => t.function?.name).find((name) => name.endsWith('memory_store'))
  const since = messages.slice(messages.findLastIndex((m) => m.role === 'user'))
  const keep = /KEEP:(.*)/.exec(JSON.stringify(since[0]?.content ?? ''))?.[1]?.replace(/(\\n|["\\]).*/, '').trim()
  const called = since.flatMap((m) => m.tool_calls ?? []).map((c) => c.function.name)
  const command = last?.role === 'user' && text.includes(RUN) ? text.split(RUN)[1].split('\n')[0].trim() : ''
  const send = (/** @type {object} */ fields) =>
    res.write(`data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'fake', ...fields })}\n\n`)
  const choice = (/** @type {object} */ delta, /** @type {string | null} */ end = null) => send({ choices: [{ index: 0, delta, finish_reason: end }] })
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  // Qwen Code tells its model of a tool only when the model has searched for it.
  if (keep && !called.includes(memory) && (memory || !called.includes('tool_search'))) {
    const call = memory
      ? { name: memory, arguments: JSON.stringify({ namespace: 'shared', key: 'kept', value: { text: keep } }) }
      : { name: 'tool_search', arguments: JSON.stringify({ query: 'memory_store' }) }
    choice({ role: 'assistant', tool_calls: [{ index: 0, id: `call_${messages.length}`, type: 'function', function: call }] })
    choice({}, 'tool_calls')
  } else if (shell && command) {
    const call = { name: shell, arguments: JSON.stringify({ command, description: 'what the test wants' }) }
    choice({ role: 'assistant', tool_calls: [{ index: 0, id: `call_${messages.length}`, type: 'function', function: call }] })
    choice({}, 'tool_calls')
  } else {
    choice({ role: 'assistant', content: SAYS })
    choice({}, 'stop')
  }
  send({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } })
  res.end('data: [DONE]\n\n')
}
