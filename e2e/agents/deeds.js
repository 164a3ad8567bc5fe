import { createServer } from 'node:http'

/** What the model says when nothing is left to be done. */
export const DONE = 'All is done.'

/** What the model says when the agent gives it no tool for what is to be done. */
export const UNABLE = 'There is no tool for that.'

const WRITES = ['Write', 'write_file', 'write', 'create']
const SHELLS = ['Bash', 'bash', 'run_shell_command', 'shell', 'exec_command']

/** @typedef {{name: string, schema: any}} Tool one that the agent offers, with the JSON Schema of its arguments */
/** @typedef {{say: string} | {tool: string, args: object}} Deed what the model does next */
/** @typedef {{prompt: string, tools: Tool[], calls: number}} Asked what an agent sent, and how many tools the model has called */
/** @typedef {{ask: (body: any) => Asked, reply: (send: (event: any) => void, deed: Deed, id: string) => void}} Wire a protocol of models */

/**
 * A model by the protocols of OpenAI (both), Anthropic and Google, as far as these agents use them. A line "WRITE: FILE" in a prompt
 * makes it write that file, "RUN: COMMAND" run that command, each once and in turn. "MODEL FAILS" makes it answer 400,
 * and "MODEL HANGS" nothing.
 * @returns {Promise<{url: string, hung: () => number, close: () => void}>} hung is how many requests have got no answer
 */
export async function deeds() {
  let hung = 0
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const part of req.setEncoding('utf8')) body += part
    const path = (req.url ?? '').replace(/\?.*/, '')
    const wire = WIRES.find(([pattern]) => pattern.test(path))?.[1]
    if (!wire || !body) return void res.writeHead(404).end()
    const asked = wire.ask(JSON.parse(body))
    if (asked.prompt.includes('MODEL HANGS')) return void hung++
    if (asked.prompt.includes('MODEL FAILS')) return void res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"code":400,"type":"invalid_request_error","message":"this model fails"}}')
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    wire.reply((event) => res.write(`${event.type ? `event: ${event.type}\n` : ''}data: ${JSON.stringify(event)}\n\n`), next(asked), `call_${asked.calls}`)
    res.end(path.endsWith('/completions') ? 'data: [DONE]\n\n' : '')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return { url: `http://127.0.0.1:${port}`, hung: () => hung, close: () => (server.closeAllConnections(), server.close()) }
}

/** @param {Asked} asked @returns {Deed} */
function next({ prompt, tools, calls }) {
  const steps = [...new Set([...prompt.matchAll(/(?:WRITE|RUN): [^\n]+/g)].map(([step]) => step))]
  const [verb, what] = steps[calls]?.split(': ') ?? []
  if (!verb || !what) return { say: DONE }
  const tool = (verb === 'WRITE' ? WRITES : SHELLS).map((name) => tools.find((t) => t.name === name)).find(Boolean)
  return tool ? { tool: tool.name, args: args(tool.schema, verb === 'WRITE', what.trim()) } : { say: UNABLE }
}

/** @param {any} schema @param {boolean} write @param {string} what @returns {object} arguments for a tool */
function args({ properties = {}, required = [] }, write, what) {
  const of = (/** @type {string[]} */ names) => names.find((name) => name in properties) ?? ''
  const given = write
    ? { [of(['file_path', 'filePath', 'path'])]: what, [of(['content', 'file_text'])]: 'written\n' }
    : { [of(['command', 'cmd'])]: what }
  const others = required.filter((/** @type {string} */ name) => !(name in given))
  return { ...Object.fromEntries(others.map((/** @type {string} */ name) => [name, properties[name].type === 'boolean' ? false : 'what the test wants'])), ...given }
}

/** @param {any} content a string, or parts @returns {string} */
const text = (content) => (typeof content === 'string' ? content : (content ?? []).map((/** @type {any} */ part) => part.text ?? '').join('\n'))

/** @param {any[]} messages @param {string} content its member @returns {string} what the user has said */
const said = (messages, content = 'content') => messages.filter((m) => m.role === 'user').map((m) => text(m[content])).join('\n')

/** @type {Wire} */
const completions = {
  ask: ({ messages, tools = [] }) => ({
    prompt: said(messages),
    tools: tools.map((/** @type {any} */ t) => ({ name: t.function.name, schema: t.function.parameters })),
    calls: messages.flatMap((/** @type {any} */ m) => m.tool_calls ?? []).length,
  }),
  reply(send, deed, id) {
    const chunk = (/** @type {any[]} */ choices) => send({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'fake', choices, usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } })
    const delta = 'say' in deed ? { content: deed.say } : { tool_calls: [{ index: 0, id, type: 'function', function: { name: deed.tool, arguments: JSON.stringify(deed.args) } }] }
    chunk([{ index: 0, delta: { role: 'assistant', ...delta }, finish_reason: null }])
    chunk([{ index: 0, delta: {}, finish_reason: 'say' in deed ? 'stop' : 'tool_calls' }])
  },
}

/** @type {Wire} */
const responses = {
  ask: ({ input, tools = [] }) => ({
    prompt: said(input),
    tools: tools.map((/** @type {any} */ t) => ({ name: t.name, schema: t.parameters })),
    calls: input.filter((/** @type {any} */ m) => m.type === 'function_call').length,
  }),
  reply(send, deed, id) {
    const item = 'say' in deed
      ? { type: 'message', id: 'm1', role: 'assistant', content: [{ type: 'output_text', text: deed.say, annotations: [] }] }
      : { type: 'function_call', id: `f${id}`, call_id: id, name: deed.tool, arguments: JSON.stringify(deed.args) }
    send({ type: 'response.created', response: { id: 'r1' } })
    send({ type: 'response.output_item.added', output_index: 0, item })
    send({ type: 'response.output_item.done', output_index: 0, item })
    send({ type: 'response.completed', response: { id: 'r1', status: 'completed', output: [item], usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15 } } })
  },
}

/** @type {Wire} */
const messages = {
  ask: (body) => ({
    prompt: said(body.messages),
    tools: (body.tools ?? []).map((/** @type {any} */ t) => ({ name: t.name, schema: t.input_schema })),
    calls: body.messages.flatMap((/** @type {any} */ m) => (Array.isArray(m.content) ? m.content : [])).filter((/** @type {any} */ c) => c.type === 'tool_use').length,
  }),
  reply(send, deed, id) {
    const usage = { input_tokens: 10, output_tokens: 5 }
    const [block, delta] = 'say' in deed
      ? [{ type: 'text', text: '' }, { type: 'text_delta', text: deed.say }]
      : [{ type: 'tool_use', id, name: deed.tool, input: {} }, { type: 'input_json_delta', partial_json: JSON.stringify(deed.args) }]
    send({ type: 'message_start', message: { id: 'm1', type: 'message', role: 'assistant', model: 'fake', content: [], stop_reason: null, stop_sequence: null, usage } })
    send({ type: 'content_block_start', index: 0, content_block: block })
    send({ type: 'content_block_delta', index: 0, delta })
    send({ type: 'content_block_stop', index: 0 })
    send({ type: 'message_delta', delta: { stop_reason: 'say' in deed ? 'end_turn' : 'tool_use', stop_sequence: null }, usage })
    send({ type: 'message_stop' })
  },
}

/** @type {Wire} */
const generate = {
  ask: ({ contents, tools = [] }) => ({
    prompt: said(contents, 'parts'),
    tools: tools.flatMap((/** @type {any} */ t) => t.functionDeclarations ?? []).map((/** @type {any} */ t) => ({ name: t.name, schema: t.parametersJsonSchema })),
    calls: contents.flatMap((/** @type {any} */ c) => c.parts).filter((/** @type {any} */ p) => p.functionCall).length,
  }),
  reply(send, deed) {
    const part = 'say' in deed ? { text: deed.say } : { functionCall: { name: deed.tool, args: deed.args } }
    send({ candidates: [{ index: 0, finishReason: 'STOP', content: { role: 'model', parts: [part] } }], usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 } })
  },
}

/** The protocols, by the path of a request. @type {[RegExp, Wire][]} */
const WIRES = [[/\/chat\/completions$/, completions], [/\/responses$/, responses], [/\/messages$/, messages], [/:streamGenerateContent$/, generate]]
