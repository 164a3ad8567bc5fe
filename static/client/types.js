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
 * @typedef {object} LeftoverFields
 * @property {string} [name] of its program
 * @property {string} [user] whose it is
 *
 * @typedef {Process & LeftoverFields} Leftover a process that a stop could not end
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
 * @property {Leftover[]} [leftovers] processes of it that outlived SIGKILL, and were there at the last look
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
 * @property {boolean} [no_input] it has no standard input
 * @property {Record<string, string>} [labels]
 * @property {string} created_at
 * @property {string} [started_at]
 * @property {string} [exited_at]
 * @property {string} [last_heartbeat]
 * @property {Process} [process]
 * @property {'cgroup' | 'marks'} [containment] by what all its processes are found
 * @property {boolean} [suspended] its process is stopped by a signal
 * @property {Usage} usage
 * @property {Exit} [exit]
 * @property {string[]} [tasks] in work
 * @property {number} [done] tasks that it completed
 * @property {string} [for_task] the one task that it was started for
 * @property {boolean} [on_demand] it was started because a task needed it
 * @property {number} [restarts] that its type's policy made
 * @property {string} [restart_at] it failed, and starts again then
 * @property {boolean} [crash_loop] it failed as often as its type's policy allows
 * @property {boolean} [stalled] it has a task and gives no sign of work
 * @property {string} [stalled_since] its last sign of work, while it is stalled
 * @property {string} [request]
 * @property {Dropped} [dropped] what the log no longer has of its events
 * @property {string} [last_line]
 * @property {number} last_seq
 * @property {number} rev the greater one is the newer record
 * @property {boolean} [trimmed] fields were left out, so that an answer with many fits a message: get() has them
 *
 * @typedef {object} AgentType
 * @property {string} name
 * @property {'exec' | 'scripted'} kind
 * @property {string} [description]
 * @property {string[]} [argv]
 * @property {Record<string, string>} [env]
 * @property {string} [cwd]
 * @property {'none'} [stdin] its agents have no standard input
 * @property {string} [script]
 * @property {number} [max_instances]
 * @property {number} stop_grace_ms
 * @property {string[]} [capabilities]
 * @property {Record<string, string>} [labels]
 * @property {'' | 'lines' | 'process'} [tasks] how its agents take tasks; none: they take none
 * @property {number} [max_tasks] that one agent has in work at once; 0: one
 * @property {number[]} [retry_on] exit codes after which a task is tried again, beside 75
 * @property {number} [idle_stop] milliseconds
 * @property {boolean} [coordinator] its agents may submit tasks
 * @property {string[]} [memory] namespaces that its agents may use
 * @property {RestartPolicy} [restart]
 * @property {number} [heartbeat] milliseconds
 * @property {number} [stall] milliseconds
 * @property {boolean} [closed] admission is closed for it
 * @property {boolean} [builtin]
 * @property {number} running
 *
 * @typedef {object} RestartPolicy
 * @property {'fail' | 'delay'} mode
 * @property {number} attempts
 * @property {number} interval milliseconds
 * @property {number} delay milliseconds
 *
 * @typedef {'agent.spawned' | 'agent.started' | 'agent.activity' | 'agent.stopping' | 'agent.signal' | 'agent.exited'
 *   | 'agent.crashed' | 'agent.health' | 'agent.task' | 'agent.log' | 'output.stdout' | 'output.stderr' | 'input'} AgentEventType
 *
 * @typedef {object} AgentEventData
 * @property {string} [text] bytes that are valid UTF-8
 * @property {string} [base64] bytes that are not
 * @property {Activity} [activity]
 * @property {Reason} [reason]
 * @property {Process} [process]
 * @property {Exit} [exit]
 * @property {string} [task]
 * @property {TaskState} [state]
 *
 * @typedef {object} AgentEvent
 * @property {number} seq
 * @property {string} time
 * @property {AgentEventType} type
 * @property {string} subject the agent's id
 * @property {string} [actor]
 * @property {AgentEventData} data
 * @property {Dropped} [dropped] what the log no longer has right before this event
 *
 * @typedef {object} Dropped events that the log's bound took
 * @property {number} events
 * @property {number} bytes
 * @property {string} from
 * @property {string} to
 * @property {number} [last] of an agent's record: a cursor at or behind it misses none of them
 *
 * @typedef {object} AgentEventsParams
 * @property {string} id
 * @property {'' | 'output' | 'lifecycle'} [which] what it printed, or all the rest; none: both
 * @property {number} [after] only events with a greater seq
 * @property {number} [before] only events with a smaller seq
 * @property {boolean} [newest] the last `limit` of them, not the first
 * @property {number} [limit] 200 unless said otherwise; 1000 at most
 * @property {boolean} [html] events come as parts of Skein's own pages, without their data
 *
 * @typedef {object} AgentEventsResult
 * @property {AgentEvent[]} events in order: `limit`, or fewer so that they fit a message
 * @property {number} first seq of the oldest event of any sort that the log has of the agent; 0: it has none
 * @property {number} last and of the newest
 * @property {boolean} more there are more of those asked for: behind these, or before them with `newest`
 * @property {Record<string, string>} [html] those that an agent's page tells of, by seq
 *
 * @typedef {object} AgentSearchParams
 * @property {string} id
 * @property {string} query 1 to 1000 bytes
 * @property {boolean} [regexp] the query is a regular expression, of Go's syntax (RE2)
 * @property {boolean} [case] capital and small letters differ
 * @property {number} [after] only events with a greater seq
 * @property {number} [offset] with `after`: of that very event, its data from here on too
 * @property {number} [before] only events with a smaller seq
 * @property {number} [limit] 100 unless said otherwise; 1000 at most. Events are searched to their end, so that there may be more matches
 *
 * @typedef {object} AgentSearchResult
 * @property {Match[]} matches one for each line with a hit, in the order in which the lines ended
 * @property {number} cursor seq of the event up to which was searched
 * @property {number} [offset] of that event, only its data before this: its matches filled the answer
 * @property {boolean} more there is more to search: ask again, `after` this `cursor` with this `offset`
 * @property {number} scanned bytes of output
 * @property {Dropped} [dropped] what the log no longer has, so that it was not searched
 *
 * @typedef {object} Match a line with a hit; one of more than 64 KiB counts as several
 * @property {number} seq of the event in which the line begins
 * @property {string} time
 * @property {AgentEventType} type
 * @property {string} line what a terminal shows of it; at most 400 bytes around the hit
 * @property {number} offset where the line begins in the event's data, in bytes
 * @property {number} column where the hit begins in the whole line: which character (code point), from 1
 * @property {number} [length] of the whole line, in characters
 * @property {number} from where the hit begins in `line`, in characters (code points) from 0
 * @property {number} to where it ends
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
 * @property {ErrorData} [data]
 *
 * @typedef {object} ErrorData
 * @property {string} [kind] the code's name
 * @property {string} [field] the parameter at fault
 * @property {string[]} [supported] what is allowed instead
 * @property {MemoryEntry} [entry] of a memory conflict: what is there; none: nothing
 *
 * @typedef {object} SpawnParams
 * @property {string} type
 * @property {string} [name]
 * @property {number} [count] 0 or none: 1
 * @property {string[]} [argv]
 * @property {string[]} [args]
 * @property {Record<string, string>} [env]
 * @property {string} [cwd]
 * @property {boolean} [no_input] standard input is empty, instead of a pipe
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
 * @property {boolean} [needs] those that need a person
 * @property {string} [query]
 * @property {number} [after] the `next` of a list: go on behind it
 * @property {number} [limit] none: all
 *
 * @typedef {object} ListResult
 * @property {Agent[]} agents
 * @property {number} [next] the `after` of a list that goes on; none: that was all
 * @property {number} total how many match, whatever the limit
 *
 * @typedef {object} StopParams
 * @property {'agent' | 'task' | 'type' | 'node' | 'all'} [scope] none: the agents in ids
 * @property {string[]} [ids]
 * @property {string[]} [tasks] with all below them, and the agents at work on them
 * @property {string} [type]
 * @property {string} [node]
 * @property {boolean} [reopen] scopes type, node and all: open admission again when all are gone
 * @property {number} [grace_ms] instead of the type's own; 0: SIGKILL at once
 *
 * @typedef {object} StopResult
 * @property {StopReport[]} reports
 * @property {string[]} [canceled] tasks that ended with it
 * @property {boolean} [closed] admission is closed now, for the scope
 * @property {number} [more] reports that were left out, so that the answer fits a message
 * @property {number} [more_failed] those of them about agents that are not gone
 * @property {number} [more_canceled] tasks that were left out likewise
 *
 * @typedef {object} Admission whether agents may be spawned and tasks started
 * @property {boolean} closed for all
 * @property {string[]} [types] closed for these
 * @property {string} [since]
 * @property {string} [actor]
 * @property {string} [reason]
 *
 * @typedef {object} AdmissionParams
 * @property {string} [type] none: for all
 * @property {boolean} closed
 * @property {string} [reason]
 *
 * @typedef {object} StopReport
 * @property {string} id
 * @property {Status} status
 * @property {Reason} [reason]
 * @property {boolean} [already]
 * @property {boolean} [forced]
 * @property {number} took_ms
 * @property {Leftover[]} [leftovers]
 * @property {number} [cleared] processes that an earlier stop had left, and that are gone now
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
 * @property {Admission} [admission]
 *
 * @typedef {object} Update
 * @property {Agent[] | null} [agents]
 * @property {string[]} [removed]
 * @property {Admission} [admission] it changed
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
 * @property {string} url relative to the document's own
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
 * @property {string} [task]
 * @property {string} [artifact]
 * @property {'put' | 'get'} [op]
 * @property {number} [offset]
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
 * @property {(options?: {sendOrder?: number}) => Promise<{readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>}>} createBidirectionalStream
 * @property {ReadableStream<{readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>}>} incomingBidirectionalStreams
 * @property {{readable: ReadableStream<Uint8Array>, writable?: WritableStream<Uint8Array>}} datagrams
 * @property {(info?: {closeCode?: number, reason?: string}) => void} close
 */

/**
 * The network.
 *
 * @typedef {object} Network the path of a session, as the server sees it; what a transport does not tell is left out
 * @property {Transport} transport
 * @property {string} [remote] this client's address
 * @property {number} [rtt_ms] smoothed; none: not measured yet
 * @property {number} [min_rtt_ms]
 * @property {number} [congestion_window] bytes that the server may have under way
 * @property {number} bytes_sent by the server, with all that the transport adds
 * @property {number} bytes_received
 * @property {number} [packets_sent]
 * @property {number} [packets_received]
 * @property {number} [packets_lost] of those sent
 * @property {Mask} [mask] none: the transport has no loss masking
 * @property {LaneTraffic[]} lanes every lane
 *
 * @typedef {object} Mask whether packets are sent twice, to hide loss
 * @property {boolean} on
 * @property {number} [copies] of each packet, while it is on
 * @property {number} [spacing_ms] before each copy
 * @property {number} repeated copies that were sent
 * @property {string} [reason] why it is off, in words for a person
 *
 * @typedef {object} LaneTraffic what the lanes of one name moved, together
 * @property {string} lane
 * @property {'critical' | 'high' | 'medium' | 'low'} class
 * @property {number} streams open now
 * @property {number} bytes_in from this client
 * @property {number} bytes_out
 * @property {number} [waited_in_ms] for the rate
 * @property {number} [waited_out_ms]
 * @property {number} [rate] bytes a second each way, of an agent lane each; none: no bound
 * @property {number} [writers] writes of the lane's class that are under way
 * @property {number} [max_writers] none: no bound
 */

/**
 * Tasks.
 *
 * @typedef {'submitted' | 'working' | 'input_required' | 'completed' | 'failed' | 'canceled' | 'rejected'} TaskState
 * @typedef {'critical' | 'high' | 'normal' | 'low'} Priority
 * @typedef {'all' | 'first' | 'quorum' | 'reduce'} AggregateMode
 * @typedef {'spawn_failed' | 'agent_lost' | 'agent_stopped' | 'server_restarted' | 'heartbeat_timeout' | 'delivery_failed'
 *   | 'agent_error' | 'agent_busy' | 'exit_retry' | 'run_timeout' | 'bad_protocol' | 'too_large' | 'queue_timeout' | 'dependency_failed'
 *   | 'children_failed'} FailureReason
 *
 * @typedef {object} Payload bytes: `text` when they are valid UTF-8, else `base64`; neither: no bytes
 * @property {string} [text]
 * @property {string} [base64]
 * @property {number} [size] where this is only the beginning, as in lists: the bytes of all of it
 *
 * @typedef {object} TaskSpec at least one of type, agent and capabilities says who can do it
 * @property {string} [key] names it within its batch, for depends_on
 * @property {string} [name]
 * @property {string} [queue]
 * @property {Priority} [priority]
 * @property {string} [type] of the agent
 * @property {string} [agent] this one and no other
 * @property {string[]} [capabilities] all of them
 * @property {string[]} [argv]
 * @property {string[]} [args]
 * @property {Payload} [input]
 * @property {boolean} [no_input] its process has no standard input; it has no input then
 * @property {{queue?: number, run?: number, heartbeat?: number}} [timeouts] milliseconds; 0: none
 * @property {{max?: number, backoff?: number}} [retry] attempts in all, and milliseconds before the second
 * @property {number[]} [retry_on] exit codes of its process after which it is tried again, beside 75 and those of its type
 * @property {string} [idempotency_key] a second task with it is not made; the first is given instead
 * @property {string[]} [depends_on] ids, or "#key" of the same batch: these complete first
 * @property {string} [parent]
 * @property {Record<string, string>} [labels]
 *
 * @typedef {object} TaskRecord
 * @property {string} id
 * @property {number} num the greater one is younger
 * @property {string} [actor]
 * @property {TaskState} state
 * @property {string} [waiting] for what, while it waits
 * @property {number} [position] among those that wait for the same agents, from 1
 * @property {string} [not_before]
 * @property {number} attempt 0: none yet
 * @property {number} [last_attempt] behind which there is none by itself
 * @property {Run[]} [runs]
 * @property {{time: string, text?: string, fraction?: number}[]} [progress] the newest ones
 * @property {Payload} [result]
 * @property {FailureReason} [failure]
 * @property {string} [message] why it ended like this, for a person
 * @property {boolean} [dead_letter] its attempts are used up; retry gives it new ones
 * @property {{time: string, attempt: number, agent: string, failed?: boolean, text?: string}[]} [late] answers that came
 *   after the end of their run
 * @property {Orchestration} [orchestration]
 * @property {number} [index] of its input, in an orchestration
 * @property {number} [ordinal] its place in the order of completion, from 1
 * @property {string} created_at
 * @property {string} [started_at]
 * @property {string} [ended_at]
 * @property {number} rev
 * @property {string} [request]
 * @property {boolean} [trimmed] parts were left out, so that the answer fits a message: get() has them, as far as that is possible
 *
 * @typedef {TaskSpec & TaskRecord} Task
 *
 * @typedef {object} Run one attempt
 * @property {number} attempt
 * @property {string} [agent]
 * @property {string} [agent_name]
 * @property {string} [node]
 * @property {string} started_at
 * @property {string} [ended_at]
 * @property {number} [lease] milliseconds
 * @property {FailureReason} [failure]
 * @property {string} [message]
 *
 * @typedef {object} TaskFilter
 * @property {string[]} [ids]
 * @property {TaskState[]} [states]
 * @property {string} [queue]
 * @property {string} [type]
 * @property {string} [agent] asked for, or at work on it
 * @property {string} [parent] its children
 * @property {string} [root] it, and all below it
 * @property {boolean} [dead_letter]
 * @property {Record<string, string>} [labels]
 * @property {string} [query]
 * @property {number} [after] the `next` of a list: go on behind it
 * @property {number} [limit] none: all
 *
 * @typedef {object} TaskListResult
 * @property {Task[]} tasks newest first
 * @property {number} [next] the `after` of a list that goes on; none: that was all
 * @property {number} total how many match, whatever the limit
 * @property {Partial<Record<TaskState, number>>} counts of all tasks, whatever the filter
 *
 * @typedef {object} TaskUpdate
 * @property {Task[]} [tasks]
 * @property {string[]} [removed]
 * @property {number} cursor
 * @property {Partial<Record<TaskState, number>>} [counts]
 * @property {boolean} [more] a further part of the same update follows
 * @property {Record<string, string>} [html] of what changed, by id: what the watch asked for
 *
 * @typedef {'row' | 'item'} ArtifactHTML a component of Skein's own pages that shows an artifact
 *
 * @typedef {'row' | 'page'} AgentHTML a component of Skein's own pages that shows an agent
 *
 * @typedef {'row' | 'card' | 'page' | 'twig'} TaskHTML a component of Skein's own pages
 *
 * @typedef {object} OrchestrateParams
 * @property {string} [name]
 * @property {TaskSpec} task of each child; its input, key and parent are not read
 * @property {Payload[]} inputs
 * @property {AggregateMode} [mode]
 * @property {number} [quorum]
 * @property {TaskSpec} [reduce]
 * @property {boolean} [fail_fast]
 * @property {string} [parent]
 *
 * @typedef {object} Orchestration
 * @property {AggregateMode} mode
 * @property {number} [quorum]
 * @property {boolean} [fail_fast]
 * @property {number} children
 * @property {number} completed
 * @property {number} failed
 * @property {TaskSpec} [reduce]
 * @property {string} [reducer]
 *
 * @typedef {object} Result one child's outcome
 * @property {number} ordinal its place in the order of completion, from 1
 * @property {number} index of its input
 * @property {string} task
 * @property {TaskState} state
 * @property {Payload} [output]
 * @property {FailureReason} [failure]
 * @property {string} [message]
 * @property {string} [html] a part of Skein's own page, on a lane that asked for it
 */

/**
 * Memory.
 *
 * @typedef {object} MemoryEntry
 * @property {string} namespace
 * @property {string} key
 * @property {Payload} [value] left out of lists
 * @property {number} size of the value, in bytes
 * @property {string} [content_type]
 * @property {number} revision grows over all entries
 * @property {number} previous the revision before this one; 0: it was not there
 * @property {string} [writer]
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string} [expires_at]
 * @property {boolean} [deleted] in watches and histories: it was deleted, or expired
 *
 * @typedef {object} MemoryStoreParams
 * @property {string} namespace
 * @property {string} key
 * @property {Payload} [value]
 * @property {string} [content_type]
 * @property {number} [ttl] milliseconds; 0: for ever
 * @property {number} [if_revision] the entry's revision must be this one; 0: it must not be there
 *
 * @typedef {object} MemoryKeyParams
 * @property {string} namespace
 * @property {string} key
 * @property {number} [if_revision] delete only
 *
 * @typedef {object} MemoryHistoryParams
 * @property {string} namespace
 * @property {string} key
 * @property {number} [before] only what is older than this revision
 *
 * @typedef {object} MemoryListParams
 * @property {string} namespace
 * @property {string} [prefix]
 * @property {string} [after] a key: go on behind it
 * @property {number} [limit] of one page; 0: 1000, which is also the most
 * @property {boolean} [values] with values, as far as they fit into one message
 *
 * @typedef {object} MemoryListResult
 * @property {MemoryEntry[]} entries
 * @property {string} [next] the `after` of the next page; none: this is the last one
 * @property {number} total
 *
 * @typedef {object} MemorySearchParams
 * @property {string[]} [namespaces]
 * @property {string} query words; all must occur. "a phrase", and prefix* at the end of a word
 * @property {string} [prefix] of the key
 * @property {number} [limit] 0: 20; 100 at most
 *
 * @typedef {object} MemorySearchResult
 * @property {{entry: MemoryEntry, score: number, snippet?: string}[]} hits the best first
 * @property {number} total
 *
 * @typedef {object} MemoryNamespace
 * @property {string} name
 * @property {number} keys
 * @property {number} bytes
 * @property {number} max_keys
 * @property {number} max_bytes
 * @property {number} revision of its last change
 * @property {string} updated_at when that was
 *
 * @typedef {object} MemoryOne one answer of several: entry or error
 * @property {MemoryEntry} [entry]
 * @property {WireError} [error]
 *
 * @typedef {object} MemoryWatchParams
 * @property {string} namespace
 * @property {string} [prefix]
 * @property {boolean} [values] entries come with their values
 *
 * @typedef {object} MemoryUpdate
 * @property {number} watch
 * @property {MemoryEntry[]} entries in the order of their revisions
 * @property {number} cursor
 */

/**
 * Artifacts.
 *
 * @typedef {object} Artifact
 * @property {string} id
 * @property {string} name
 * @property {string} media_type
 * @property {number} size
 * @property {string} [sha256] hexadecimal; none until it is complete
 * @property {string} [task]
 * @property {string} [agent]
 * @property {string} [actor]
 * @property {'uploading' | 'complete'} state
 * @property {number} received bytes that are safe
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string} [request]
 *
 * @typedef {object} ArtifactCreateParams
 * @property {string} name
 * @property {string} [media_type]
 * @property {number} size
 * @property {string} [sha256]
 * @property {string} [task]
 * @property {string} [agent]
 *
 * @typedef {object} ArtifactFilter
 * @property {string} [task]
 * @property {string} [agent]
 * @property {string} [query]
 * @property {string} [after] the `next` of a list: go on behind it
 * @property {number} [limit] none: all
 *
 * @typedef {object} ArtifactListResult
 * @property {Artifact[]} artifacts newest first
 * @property {string} [next] the `after` of a list that goes on; none: that was all
 * @property {number} total
 * @property {number} bytes of all artifacts, whatever the filter
 *
 * @typedef {object} Bulk a line of a bulk lane
 * @property {Artifact} [artifact]
 * @property {number} offset
 * @property {boolean} [done]
 * @property {WireError} [error]
 */

export {}
