/**
 * The words of the protocol, as JSON carries them. Package webtransport/wire is the same vocabulary in Go. Times are
 * RFC 3339 strings.
 *
 * @typedef {'pending' | 'starting' | 'running' | 'stopping' | 'exited' | 'unknown' | 'lost'} Status
 * @typedef {'' | 'idle' | 'running' | 'requires_action'} Activity
 * @typedef {'' | 'completed' | 'failed' | 'stopped'} Reason
 * @typedef {'webtransport' | 'websocket'} Transport
 *
 * @typedef {object} Process
 * @property {number} pid
 * @property {number} group
 * @property {number} start_time clock ticks since boot
 *
 * @typedef {object} Usage
 * @property {number} cpu cores in use
 * @property {number} rss bytes
 * @property {number} processes
 * @property {number} cpu_time seconds
 *
 * @typedef {object} Exit
 * @property {number} code -1 when a signal ended it or it never started
 * @property {string} [signal]
 * @property {string} [message]
 * @property {Process[]} [leftovers] processes of its group that outlived SIGKILL
 *
 * @typedef {object} Agent
 * @property {string} id
 * @property {number} num its number in status datagrams
 * @property {string} name
 * @property {string} type
 * @property {string} kind
 * @property {string} node
 * @property {number} generation
 * @property {'run' | 'stop'} desired
 * @property {Status} status
 * @property {Reason} [reason]
 * @property {Activity} [activity]
 * @property {string} [question] what it waits for, while it requires action
 * @property {string[]} [argv]
 * @property {string} [cwd]
 * @property {Record<string, string>} [labels]
 * @property {string} created_at
 * @property {string} [started_at]
 * @property {string} [exited_at]
 * @property {string} [last_heartbeat]
 * @property {Process} [process]
 * @property {Usage} usage
 * @property {Exit} [exit]
 * @property {string} [last_line]
 * @property {number} last_seq
 * @property {number} rev the greater one is the newer record
 *
 * @typedef {object} AgentType
 * @property {string} name
 * @property {'exec' | 'scripted'} kind
 * @property {string} [description]
 * @property {string[]} [argv]
 * @property {Record<string, string>} [env]
 * @property {string} [cwd]
 * @property {string} [script]
 * @property {number} [max_instances]
 * @property {number} stop_grace_ms
 * @property {string[]} [capabilities]
 * @property {Record<string, string>} [labels]
 * @property {boolean} [builtin]
 * @property {number} running
 *
 * @typedef {'agent.spawned' | 'agent.started' | 'agent.activity' | 'agent.stopping' | 'agent.signal' | 'agent.exited'
 *   | 'output.stdout' | 'output.stderr' | 'input'} AgentEventType
 *
 * @typedef {object} AgentEventData
 * @property {string} [text] bytes that are valid UTF-8
 * @property {string} [base64] bytes that are not
 * @property {Activity} [activity]
 * @property {Reason} [reason]
 * @property {Process} [process]
 * @property {Exit} [exit]
 *
 * @typedef {object} AgentEvent
 * @property {number} seq
 * @property {string} time
 * @property {AgentEventType} type
 * @property {string} subject the agent's id
 * @property {string} [actor]
 * @property {AgentEventData} data
 *
 * @typedef {object} GapEvent made by the client where the log could not be followed without a break
 * @property {'gap'} type
 * @property {string} subject
 * @property {number} after the cursor that was asked for
 * @property {number} first the oldest event that is still there; 0: none
 * @property {boolean} restarted the log is another one, or lost its end: its events follow from the first that is there
 *
 * @typedef {object} WireError
 * @property {number} code
 * @property {string} message
 * @property {{kind?: string, field?: string, supported?: string[]}} [data]
 *
 * @typedef {object} SpawnParams
 * @property {string} type
 * @property {string} [name]
 * @property {number} [count] 0 or none: 1
 * @property {string[]} [argv]
 * @property {string[]} [args]
 * @property {Record<string, string>} [env]
 * @property {string} [cwd]
 * @property {string} [script]
 * @property {Record<string, string>} [labels]
 *
 * @typedef {object} SpawnResult
 * @property {Agent[]} agents
 * @property {{index: number, id?: string, error: WireError}[]} [failed]
 *
 * @typedef {object} Filter
 * @property {string[]} [ids]
 * @property {string[]} [types]
 * @property {Status[]} [status]
 * @property {Record<string, string>} [labels]
 * @property {string} [query]
 * @property {number} [limit]
 *
 * @typedef {object} ListResult
 * @property {Agent[]} agents
 * @property {number} total
 *
 * @typedef {object} StopParams
 * @property {'agent' | 'type' | 'all'} [scope]
 * @property {string[]} [ids]
 * @property {string} [type]
 * @property {number} [grace_ms]
 *
 * @typedef {object} StopReport
 * @property {string} id
 * @property {Status} status
 * @property {Reason} [reason]
 * @property {boolean} [already]
 * @property {boolean} [forced]
 * @property {number} took_ms
 * @property {Process[]} [leftovers]
 * @property {WireError} [error]
 *
 * @typedef {object} Attached
 * @property {Agent} agent
 * @property {string} epoch
 * @property {number} first
 * @property {number} last
 * @property {boolean} recovered
 *
 * @typedef {object} End
 * @property {Agent} agent
 * @property {number} cursor
 *
 * @typedef {object} Snapshot
 * @property {number} seq
 * @property {number} part
 * @property {number} parts
 * @property {Agent[] | null} agents
 * @property {string} epoch
 *
 * @typedef {object} Update
 * @property {Agent[] | null} [agents]
 * @property {string[]} [removed]
 *
 * @typedef {object} Limits
 * @property {number} max_message
 * @property {number} max_streams
 * @property {number} max_batch
 * @property {number} max_input
 * @property {number} max_datagram
 *
 * @typedef {object} Welcome
 * @property {string} version
 * @property {string} session
 * @property {string} epoch
 * @property {boolean} recovered
 * @property {string} node
 * @property {string} server
 * @property {Limits} limits
 *
 * @typedef {object} Goodbye
 * @property {number} code
 * @property {string} reason
 * @property {number} reconnect_after_ms
 *
 * @typedef {object} Door
 * @property {Transport} transport
 * @property {string} url
 * @property {string[]} [protocols]
 * @property {{algorithm: string, value: string}[]} [certificate_hashes]
 * @property {string} ticket
 * @property {number} ticket_expires_ms
 *
 * @typedef {object} Policy
 * @property {number} race_delay_ms
 * @property {number} backoff_min_ms
 * @property {number} backoff_max_ms
 * @property {number} healthy_ms
 * @property {number} ping_ms
 *
 * @typedef {object} ConnectDocument
 * @property {string} version
 * @property {string} node
 * @property {Door[]} doors
 * @property {Policy} policy
 *
 * @typedef {object} Header the first line of every stream
 * @property {string} lane
 * @property {string} [agent]
 * @property {number} [after]
 * @property {number} [tail]
 * @property {string} [epoch]
 * @property {boolean} [follow]
 *
 * @typedef {object} Message one JSON-RPC 2.0 message
 * @property {'2.0'} jsonrpc
 * @property {string | number} [id]
 * @property {string} [method]
 * @property {any} [params]
 * @property {any} [result]
 * @property {WireError} [error]
 *
 * @typedef {object} Carrier what this library uses of the W3C's WebTransport; QMux on WebSocket has the same shape
 * @property {Promise<unknown>} ready
 * @property {Promise<{closeCode?: number, reason?: string}>} closed
 * @property {() => Promise<{readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>}>} createBidirectionalStream
 * @property {ReadableStream<{readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>}>} incomingBidirectionalStreams
 * @property {{readable: ReadableStream<Uint8Array>}} datagrams
 * @property {(info?: {closeCode?: number, reason?: string}) => void} close
 */

export {}
