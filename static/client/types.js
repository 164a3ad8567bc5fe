/**
 * The types of the protocol, as they are in JSON. Package webtransport/wire has the same types in Go. Times are RFC 3339 strings.
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
 * @property {string} [name] the name of its program
 * @property {string} [user] its owner
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
 * @property {number} code the exit code; -1 if a signal ended the process or it never started
 * @property {string} [signal]
 * @property {string} [message]
 * @property {Leftover[]} [leftovers] its processes that survived SIGKILL and still existed when they were last sampled
 *
 * @typedef {object} Agent
 * @property {string} id
 * @property {number} num the agent's number in status datagrams
 * @property {string} name
 * @property {string} type
 * @property {string} kind
 * @property {string} node
 * @property {number} generation
 * @property {'run' | 'stop'} desired
 * @property {string} [stopped_by] who wanted it to stop; `server` if it ended with the server
 * @property {Status} status
 * @property {Reason} [reason]
 * @property {Activity} [activity]
 * @property {string} [question] what the agent asks, while its activity is `requires_action`
 * @property {string} [asked_at] since when it has asked that
 * @property {string[]} [argv]
 * @property {string} [cwd]
 * @property {string[]} [env_names] of the variables that its spawn added; their values are not kept
 * @property {Folder} [folder] what cwd is
 * @property {boolean} [no_input] whether it has no standard input
 * @property {TerminalSize} [tty] the size of its terminal; none: it has pipes
 * @property {{percent: number, failed?: boolean}} [progress] as its program reports it to the terminal; percent is -1 while it does not know
 * @property {Pause} [paused] it gets no more prompts and tasks
 * @property {{id: string, text: string, task?: string}[]} [prompts] kind acp: those that wait for their turn, in their order
 * @property {string} [session] kind acp: the conversation that it is or was in
 * @property {number} [offers] kind acp: counts how often what agent.options returns has changed
 * @property {string} [title] which its program has given the terminal
 * @property {Record<string, string>} [labels]
 * @property {string} created_at
 * @property {string} [started_at]
 * @property {string} [exited_at]
 * @property {string} [last_heartbeat]
 * @property {Process} [process]
 * @property {'cgroup' | 'marks'} [containment] how all its processes are found
 * @property {boolean} [suspended] whether a signal has stopped its process
 * @property {Usage} usage
 * @property {Exit} [exit]
 * @property {string[]} [tasks] the ids of the tasks that it works on
 * @property {number} [done] how many tasks it has completed
 * @property {string} [for_task] the only task that it was started for
 * @property {boolean} [on_demand] whether it was started because a task needed it
 * @property {object} [spent] what its model has used: turns, unknown, input, output, cached, thought, cost, currency, context, context_size
 * @property {number} [restarts] how often the restart policy of its type has started it again
 * @property {string} [restart_at] when it starts again after a failure
 * @property {boolean} [crash_loop] whether it failed as often as its type's policy allows
 * @property {boolean} [stalled] whether it has a task and shows no sign of work
 * @property {string} [stalled_since] the time of its last sign of work, while it is stalled
 * @property {string} [request]
 * @property {Dropped} [dropped] the events that the log no longer has
 * @property {string} [summary] what it does now, in its own words: one line
 * @property {string} [last_line]
 * @property {number} last_seq
 * @property {number} rev the revision: the record with the greater one is newer
 * @property {boolean} [trimmed] whether fields were left out, so that a long list fits a message; get() returns them
 *
 * @typedef {object} Folder where an agent works
 * @property {'shared' | 'fresh' | 'worktree'} mode
 * @property {boolean} [share] whether others may work in it
 * @property {string} [repo] of a worktree: the folder of its repository
 * @property {string} [top] the topmost folder of what git has checked out
 * @property {string} [branch] that a worktree was made with
 * @property {string} [base] the id of the commit that the work began at
 * @property {string} [from] the branch that base was the end of
 * @property {'kept' | 'removed'} [state] what became of a worktree when its agent had ended
 *
 * @typedef {object} AgentType
 * @property {string} name
 * @property {'exec' | 'acp' | 'openai' | 'remote' | 'scripted'} kind
 * @property {string} [description]
 * @property {string[]} [argv]
 * @property {Record<string, string>} [env]
 * @property {string} [cwd]
 * @property {'none'} [stdin] set if its agents have no standard input
 * @property {string} [script]
 * @property {number} [max_instances]
 * @property {number} stop_grace_ms
 * @property {string[]} [capabilities]
 * @property {Record<string, string>} [labels]
 * @property {'' | 'lines' | 'process'} [tasks] how its agents take tasks; empty: they take none
 * @property {number} [max_tasks] how many tasks one agent works on at once; 0 means 1
 * @property {number[]} [retry_on] exit codes after which a task is tried again, in addition to 75
 * @property {number} [idle_stop] milliseconds
 * @property {boolean} [coordinator] whether its agents may submit tasks
 * @property {string[]} [memory] the namespaces that its agents may use
 * @property {RestartPolicy} [restart]
 * @property {number} [heartbeat] milliseconds
 * @property {number} [stall] milliseconds
 * @property {boolean} [closed] whether admission is closed for it
 * @property {boolean} [builtin]
 * @property {boolean} [found] nobody configured it: its program is on the server's PATH
 * @property {number} running
 *
 * @typedef {object} RestartPolicy
 * @property {'fail' | 'delay'} mode
 * @property {number} attempts
 * @property {number} interval milliseconds
 * @property {number} delay milliseconds
 *
 * @typedef {'agent.spawned' | 'agent.started' | 'agent.activity' | 'agent.stopping' | 'agent.signal' | 'agent.exited'
 *   | 'agent.crashed' | 'agent.health' | 'agent.ask' | 'agent.answer' | 'agent.task' | 'agent.log' | 'agent.resize' | 'output.stdout'
 *   | 'agent.update' | 'output.stderr' | 'output.tty' | 'input'} AgentEventType
 *
 * @typedef {object} AgentEventData
 * @property {string} [text] the bytes, if they are valid UTF-8
 * @property {string} [base64] the bytes, if they are not
 * @property {Activity} [activity]
 * @property {Reason} [reason]
 * @property {Process} [process]
 * @property {Exit} [exit]
 * @property {string} [task]
 * @property {TaskState} [state]
 * @property {Ask} [ask]
 * @property {TerminalSize} [size]
 *
 * @typedef {object} Ask something that an agent waits for a person to say; it is answered once
 * @property {string} id
 * @property {string} agent
 * @property {string} name of the agent
 * @property {string} type of the agent
 * @property {number} generation
 * @property {string} [task]
 * @property {'question' | 'permission' | 'terminal'} kind
 * @property {string} text
 * @property {{kind?: string, command?: string, paths?: string[], diffs?: {path: string, old?: string, new: string}[], cut?: boolean}} [tool]
 *   what it wants to do; cut: there is more than fits
 * @property {{id: string, name: string, kind: 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always'}[]} [options]
 * @property {string} prompt identifies what a person was shown
 * @property {'pending' | 'resolved' | 'canceled' | 'expired'} state
 * @property {string} since
 * @property {string} [expires]
 * @property {string} [reason] why it was canceled
 * @property {{option?: string, kind?: string, text?: string, by: string, rule?: string}} [answer]
 * @property {string} [ended]
 *
 * @typedef {object} AskListParams an empty field does not restrict
 * @property {string} [agent]
 * @property {string} [task] that the agent works on
 * @property {boolean} [all] those that have ended, too, after those that wait, the newest first
 * @property {string} [since] the position of an earlier list: the server answers when something has changed, or after wait_ms
 * @property {number} [wait_ms] at most 25,000
 * @property {number} [limit]
 * @property {boolean} [count] how many wait, and no questions
 * @property {boolean} [html] for Skein's own pages
 *
 * @typedef {object} AskListResult
 * @property {Ask[]} asks
 * @property {number} pending how many wait, whether they are listed or not
 * @property {number} total how many match
 * @property {string} position
 * @property {string} [html]
 *
 * @typedef {object} AskAnswerParams one of option and text answers a question
 * @property {string} id
 * @property {string} prompt that of the question, as the person was shown it
 * @property {string} [option]
 * @property {string} [text]
 *
 * @typedef {object} AgentEvent
 * @property {number} seq
 * @property {string} time
 * @property {AgentEventType} type
 * @property {string} subject the agent's id
 * @property {string} [actor]
 * @property {AgentEventData} data
 * @property {Dropped} [dropped] the events right before this one that the log no longer has
 *
 * @typedef {object} Dropped events that were deleted because the log reached its size limit
 * @property {number} events
 * @property {number} bytes
 * @property {string} from
 * @property {string} to
 * @property {number} [last] in an agent's record: the seq of the last dropped event. A reader whose cursor is at or behind it has missed none
 *
 * @typedef {object} AgentEventsParams
 * @property {string} id
 * @property {'' | 'output' | 'lifecycle'} [which] its output, or everything else; empty: both
 * @property {number} [after] only events with a greater seq
 * @property {number} [before] only events with a smaller seq
 * @property {boolean} [newest] the last `limit` events, not the first
 * @property {number} [limit] 200 by default, at most 1000
 * @property {boolean} [html] events come as HTML of Skein's own pages, without their data
 *
 * @typedef {object} AgentEventsResult
 * @property {AgentEvent[]} events in order: at most `limit`, and not more than fit a message
 * @property {number} first the seq of the agent's oldest event in the log, of any type; 0 if there is none
 * @property {number} last the seq of its newest event
 * @property {boolean} more whether more events match: after these, or with `newest` before them
 * @property {Record<string, string>} [html] the HTML of the events that the page of an agent shows, by seq
 *
 * @typedef {object} AgentSearchParams
 * @property {string} id
 * @property {string} query 1 to 1000 bytes
 * @property {boolean} [regexp] whether the query is a regular expression in Go's syntax (RE2)
 * @property {boolean} [case] whether upper and lower case differ
 * @property {number} [after] only events with a greater seq
 * @property {number} [offset] with `after`: also search the data of that event from this byte on
 * @property {number} [before] only events with a smaller seq
 * @property {number} [limit] 100 by default, at most 1000. There may be more matches, since the last event is searched to its end
 *
 * @typedef {object} AgentSearchResult
 * @property {Match[]} matches one for each line that matches, in the order in which the lines ended
 * @property {number} cursor the seq of the last event that was searched
 * @property {number} [offset] set if only the data before this byte of that event was searched, because its matches filled the answer
 * @property {boolean} more whether there is more to search: ask again, with `after` set to this `cursor` and with this `offset`
 * @property {number} scanned how many bytes of output were searched
 * @property {Dropped} [dropped] the events that were not searched because the log no longer has them
 *
 * @typedef {object} Match a line that matches; a line of more than 64 KiB counts as several
 * @property {number} seq the seq of the event in which the line begins
 * @property {string} time
 * @property {AgentEventType} type
 * @property {string} line the text that a terminal shows; at most 400 bytes around the match
 * @property {number} offset where the line begins in the event's data, in bytes
 * @property {number} column where the match begins in the whole line, in characters (code points) from 1
 * @property {number} [length] the length of the whole line, in characters
 * @property {number} from where the match begins in `line`, in characters (code points) from 0
 * @property {number} to where it ends
 *
 * @typedef {object} GapEvent an event that the client adds where events are missing
 * @property {'gap'} type
 * @property {string} subject
 * @property {number} after the cursor that was asked for
 * @property {number} first the seq of the oldest event that the log still has; 0 if there is none
 * @property {boolean} restarted whether the server has a new log, or its log lost its end: all its events follow
 *
 * @typedef {object} WireError
 * @property {number} code
 * @property {string} message
 * @property {ErrorData} [data]
 *
 * @typedef {object} ErrorData
 * @property {string} [kind] the code's name
 * @property {string} [field] the name of the invalid parameter
 * @property {string[]} [supported] the values that are allowed instead
 * @property {MemoryEntry} [entry] in a memory conflict: the current entry; absent if there is none
 *
 * @typedef {object} SpawnParams
 * @property {string} type
 * @property {string} [name]
 * @property {number} [count] 0 or undefined means 1
 * @property {string[]} [argv]
 * @property {string[]} [args]
 * @property {Record<string, string>} [env]
 * @property {string} [cwd]
 * @property {'shared' | 'fresh' | 'worktree'} [folder] where it works: cwd itself, a new folder, or a git worktree of the repository at cwd
 * @property {string} [base] the branch or commit that its worktree begins at
 * @property {boolean} [share] whether others may work in its folder at the same time
 * @property {boolean} [no_input] whether standard input is empty instead of a pipe
 * @property {boolean} [fork] whether it goes on in a copy of session
 * @property {TerminalSize} [tty] it gets a terminal of this size in place of pipes; 0 columns and rows: 80 and 24
 * @property {string} [session] the conversation that the agent goes on with, for types of kind acp
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
 * @property {boolean} [needs] only agents that need a person
 * @property {string} [query]
 * @property {number} [after] the `next` of an earlier list, to read on behind it
 * @property {number} [limit] undefined: all
 *
 * @typedef {object} ListResult
 * @property {Agent[]} agents
 * @property {number} [next] the `after` for reading on; absent at the end
 * @property {number} total how many match, whatever the limit
 *
 * @typedef {object} StopParams
 * @property {'agent' | 'task' | 'type' | 'node' | 'all'} [scope] undefined: the agents in ids
 * @property {string[]} [ids]
 * @property {string[]} [tasks] these tasks, all tasks below them, and the agents that work on them
 * @property {string} [type]
 * @property {string} [node]
 * @property {boolean} [reopen] scopes type, node and all: whether to open admission again when all are gone
 * @property {number} [grace_ms] replaces the grace of the type; 0: SIGKILL at once
 *
 * @typedef {object} StopResult
 * @property {StopReport[]} reports
 * @property {string[]} [canceled] the ids of the tasks that the stop ended
 * @property {boolean} [closed] whether admission is now closed for the scope
 * @property {number} [more] how many reports were left out so that the answer fits a message
 * @property {number} [more_failed] how many of those are about agents that are not gone
 * @property {number} [more_canceled] how many task ids were left out for the same reason
 *
 * @typedef {object} Admission whether agents may be spawned and tasks started
 * @property {boolean} closed whether it is closed for all types
 * @property {string[]} [types] the types that it is closed for
 * @property {string} [since]
 * @property {string} [actor]
 * @property {string} [reason]
 *
 * @typedef {object} AdmissionGetParams
 * @property {boolean} [html] for Skein's own pages: the banner comes, too
 *
 * @typedef {Admission & {html?: string}} AdmissionResult
 *
 * @typedef {object} AdmissionParams
 * @property {string} [type] undefined: all types
 * @property {boolean} closed
 * @property {string} [reason]
 *
 * @typedef {object} Pause
 * @property {string} since
 * @property {string} by
 * @property {string} [reason]
 * @property {boolean} [frozen] its processes are stopped
 *
 * @typedef {object} PauseReport
 * @property {string} id
 * @property {Pause} [pause] undefined: it is not paused
 * @property {WireError} [error] why it could not be paused or resumed
 *
 * @typedef {object} StopReport
 * @property {string} id
 * @property {Status} status
 * @property {Reason} [reason]
 * @property {boolean} [already]
 * @property {boolean} [forced]
 * @property {number} took_ms
 * @property {Leftover[]} [leftovers]
 * @property {number} [cleared] how many processes an earlier stop had left behind that are gone now
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
 * @property {Admission} [admission] the new admission, if it changed
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
 * @typedef {object} Endpoint
 * @property {Transport} transport
 * @property {string} url relative to the URL of the document
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
 * @property {Endpoint[]} doors the endpoints
 * @property {Policy} policy
 *
 * @typedef {object} TerminalSize the size of a terminal in cells: at most 1000 columns and 500 rows
 * @property {number} cols
 * @property {number} rows
 *
 * @typedef {object} TerminalState
 * @property {TerminalSize} size
 * @property {string} [title]
 * @property {number} viewers how many view it
 * @property {boolean} writes whether this viewer writes
 * @property {string} [writer] who writes; none: nobody
 * @property {boolean} [ended] whether the agent has ended
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
 * @property {TerminalSize} [window]
 * @property {boolean} [write]
 * @property {string} [input]
 * @property {number} [rows]
 * @property {number} [cols]
 *
 * @typedef {object} PictureRow
 * @property {'' | 'err' | 'in' | 'bin'} [kind] standard error, what was written to the agent, a note about bytes that are no text; otherwise output
 * @property {{text: string, class?: string}[]} [pieces] text by style, as classes of Skein's pages
 *
 * @typedef {object} Picture what an agent shows
 * @property {'screen' | 'lines'} kind
 * @property {number} cols of the terminal; 0 for lines
 * @property {PictureRow[]} rows
 *
 * @typedef {object} PictureChange what makes one picture the next: `shift` rows go at the top, then it has `count` rows, then `rows` are replaced
 * @property {number} seq
 * @property {boolean} [whole] there is nothing of the picture before
 * @property {'screen' | 'lines'} kind
 * @property {number} [cols]
 * @property {number} [shift]
 * @property {number} count
 * @property {(PictureRow & {at: number})[]} [rows]
 * @property {boolean} [ended] the agent has ended
 *
 * @typedef {object} Message one JSON-RPC 2.0 message
 * @property {'2.0'} jsonrpc
 * @property {string | number} [id]
 * @property {string} [method]
 * @property {any} [params]
 * @property {any} [result]
 * @property {WireError} [error]
 *
 * @typedef {object} Carrier the part of the W3C's WebTransport that this library uses; QMux on WebSocket has the same shape
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
 * @typedef {object} Network the network path of a session, as the server sees it; values that the transport does not have are absent
 * @property {Transport} transport
 * @property {string} [remote] this client's address
 * @property {number} [rtt_ms] the smoothed round-trip time; absent until it was measured
 * @property {number} [min_rtt_ms]
 * @property {number} [congestion_window] how many bytes the server may have in flight
 * @property {number} bytes_sent sent by the server, with the overhead of the transport
 * @property {number} bytes_received
 * @property {number} [packets_sent]
 * @property {number} [packets_received]
 * @property {number} [packets_lost] how many of the packets sent were lost
 * @property {Mask} [mask] absent if the transport has no loss masking
 * @property {LaneTraffic[]} lanes all lanes
 *
 * @typedef {object} Mask the state of loss masking, which sends packets more than once
 * @property {boolean} on
 * @property {number} [copies] how many copies of each packet are sent, while it is on
 * @property {number} [spacing_ms] the pause before each copy
 * @property {number} repeated how many copies were sent
 * @property {string} [reason] why it is off, in words for a person
 *
 * @typedef {object} LaneTraffic the traffic of all lanes of one name together
 * @property {string} lane
 * @property {'critical' | 'high' | 'medium' | 'low'} class
 * @property {number} streams how many are open now
 * @property {number} bytes_in bytes from this client
 * @property {number} bytes_out
 * @property {number} [waited_in_ms] how long reads waited because of the rate limit
 * @property {number} [waited_out_ms]
 * @property {number} [rate] the limit in bytes a second each way, for each agent lane by itself; absent: no limit
 * @property {number} [writers] how many writes of the lane's class are in progress
 * @property {number} [max_writers] the limit on those; absent: no limit
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
 * @typedef {object} Payload bytes, as `text` if they are valid UTF-8 and as `base64` if not; without either it is empty
 * @property {string} [text]
 * @property {string} [base64]
 * @property {number} [size] set if this is only the beginning of the payload, as in lists: the bytes of the whole payload
 *
 * @typedef {object} ScheduleTime `at` or `cron`
 * @property {string} [at] an instant, as in RFC 3339, or without an offset the time of a clock in `zone`
 * @property {string} [cron] five fields, or a word such as `@daily`
 * @property {string} [zone] a time zone, by its name in the IANA's database; none: the server's
 *
 * @typedef {object} ScheduleFields
 * @property {string} [id] the id or the name of the schedule to replace; none: a new one
 * @property {string} name no other schedule has it
 * @property {TaskSpec} task what each run submits
 * @property {'skip' | 'queue'} [overlap] a run that is due while the task of the one before still works is left out (skip), or waits
 * @property {'skip' | 'once'} [missed] runs that were due while it was paused, or Skein was down, are left out (skip), or made up by one
 * @property {boolean} [paused]
 * @property {number} [if_revision] of the schedule to replace
 *
 * @typedef {ScheduleTime & ScheduleFields} ScheduleInit
 *
 * @typedef {object} ScheduleRun a run that was due, or several in a row with the same outcome
 * @property {string} due the last of them
 * @property {string} time
 * @property {'submitted' | 'skipped' | 'missed' | 'failed'} outcome
 * @property {string} [task]
 * @property {string} [reason]
 * @property {string} [by] who asked for it, of a run by hand
 * @property {number} [count] how many of them, if more than one; 1000: so many at least
 * @property {string} [from] the first of them
 *
 * @typedef {object} Schedule
 * @property {string} id
 * @property {string} name
 * @property {TaskSpec} task
 * @property {string} [at]
 * @property {string} [cron]
 * @property {string} zone
 * @property {'skip' | 'queue'} overlap
 * @property {'skip' | 'once'} missed
 * @property {boolean} [paused]
 * @property {number} revision counts what people change
 * @property {string} [actor] who changed it last
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string} through until when each due run is accounted for
 * @property {{due: string, since: string, key: string, behind?: string, made_up?: number}} [waiting] the run that is about to be
 *   submitted; `behind`: when that task is over
 * @property {ScheduleRun[]} [runs] the newest first
 * @property {string} [last] the task that was submitted last
 * @property {TaskState} [last_state]
 * @property {string} [words] when it runs, in English
 * @property {string[]} [next] the coming runs; none: it is paused, or over
 * @property {string} [fault] why it can't run
 *
 * @typedef {object} ScheduleListParams an empty field does not restrict
 * @property {string} [query] a part of the name
 * @property {string} [after]
 * @property {number} [limit]
 * @property {string} [since] the position of an earlier list: the server answers when something has changed, or after wait_ms
 * @property {number} [wait_ms] at most 25,000
 * @property {boolean} [html] for Skein's own pages
 * @property {string} [page] for Skein's own pages
 *
 * @typedef {object} ScheduleListResult
 * @property {Schedule[]} schedules
 * @property {string} [next]
 * @property {number} total how many match
 * @property {string} zone the server's
 * @property {string} position
 * @property {string} [html]
 *
 * @typedef {ScheduleTime & {html?: boolean}} SchedulePreviewParams html: for Skein's own pages
 *
 * @typedef {object} SchedulePreview
 * @property {string} words when it would run, in English
 * @property {string} zone
 * @property {string[]} next
 * @property {string} [html]
 *
 * @typedef {object} TaskSpec a task to submit; at least one of type, agent and capabilities says which agents can do it
 * @property {string} [key] the task's name within its batch, for depends_on
 * @property {string} [name]
 * @property {string} [queue]
 * @property {Priority} [priority]
 * @property {string} [type] the type of the agent
 * @property {string} [agent] the only agent that may do it
 * @property {string[]} [capabilities] the agent must have all of them
 * @property {string[]} [argv]
 * @property {string[]} [args]
 * @property {Payload} [input]
 * @property {string} [cwd] the working folder of its process, an absolute path; of a worktree: a folder in the repository
 * @property {'shared' | 'fresh' | 'worktree'} [folder] what the working folder of its process is; without it as its type says, or shared with a cwd
 * @property {boolean} [no_input] whether its process has no standard input; the task must then have no input
 * @property {{queue?: number, run?: number, heartbeat?: number}} [timeouts] milliseconds; 0: none
 * @property {{max?: number, backoff?: number}} [retry] max is the number of attempts, the first included; backoff is the milliseconds before the second
 * @property {number[]} [retry_on] exit codes after which the task is tried again, in addition to 75 and those of the agent type
 * @property {string} [idempotency_key] a second submit with this key makes no task and returns the first one
 * @property {string[]} [depends_on] the tasks that must complete first: ids, or "#key" in the same batch
 * @property {string} [parent]
 * @property {Record<string, string>} [labels]
 *
 * @typedef {object} TaskRecord
 * @property {string} id
 * @property {number} num grows with each task: the greater one is newer
 * @property {string} [actor]
 * @property {TaskState} state
 * @property {string} [waiting] what the task waits for
 * @property {string[]} [asking] the agents among these that wait for a person's answer, at most 8
 * @property {number} [position] its place among the tasks that wait for the same agents, from 1
 * @property {string} [not_before]
 * @property {number} attempt the number of the current attempt; 0 before the first
 * @property {number} [last_attempt] the number of the last attempt that is made without a manual retry
 * @property {Run[]} [runs]
 * @property {{time: string, text?: string, fraction?: number}[]} [progress] the newest reports
 * @property {Payload} [result]
 * @property {FailureReason} [failure]
 * @property {string} [message] why it ended in this state, for a person
 * @property {boolean} [dead_letter] whether its attempts are used up; retry() starts a new set
 * @property {{time: string, attempt: number, agent: string, failed?: boolean, text?: string}[]} [late] answers that came after their attempt had ended
 * @property {Orchestration} [orchestration]
 * @property {number} [index] the index of its input, in an orchestration
 * @property {number} [ordinal] its place in the order of completion, from 1
 * @property {string} created_at
 * @property {string} [started_at]
 * @property {string} [ended_at]
 * @property {number} rev
 * @property {string} [request]
 * @property {boolean} [trimmed] whether parts were left out so that the answer fits a message; get() returns as many of them as fit
 *
 * @typedef {TaskSpec & TaskRecord} Task
 *
 * @typedef {object} Run one attempt at a task
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
 * @property {string} [agent] the agent that the task asks for, or that works on it
 * @property {string} [parent] only the children of this task
 * @property {string} [root] only this task and all tasks below it
 * @property {boolean} [dead_letter]
 * @property {Record<string, string>} [labels]
 * @property {string} [query]
 * @property {number} [after] the `next` of an earlier list, to read on behind it
 * @property {number} [limit] undefined: all
 *
 * @typedef {object} TaskListResult
 * @property {Task[]} tasks newest first
 * @property {number} [next] the `after` for reading on; absent at the end
 * @property {number} total how many match, whatever the limit
 * @property {Partial<Record<TaskState, number>>} counts the number of tasks in each state, whatever the filter
 *
 * @typedef {object} TaskUpdate
 * @property {Task[]} [tasks]
 * @property {string[]} [removed]
 * @property {number} cursor
 * @property {Partial<Record<TaskState, number>>} [counts]
 * @property {boolean} [more] whether another part of the same update follows
 * @property {Record<string, string>} [html] the HTML of the changed tasks, by id, if the watch asked for it
 *
 * @typedef {'row' | 'item'} ArtifactHTML a component of Skein's own pages that shows an artifact
 *
 * @typedef {'row' | 'page' | 'cell' | 'peek' | 'transcript'} AgentHTML a component of Skein's own pages that shows an agent
 *
 * @typedef {'row' | 'card' | 'page' | 'twig' | 'graph'} TaskHTML a component of Skein's own pages
 *
 * @typedef {'row' | 'namespace' | 'space' | 'hits' | 'page' | 'conflict'} MemoryHTML a component of Skein's own pages that shows memory
 *
 * @typedef {object} MemoryRenderParams
 * @property {MemoryHTML} html
 * @property {string} [namespace] of `row` and `space`; of `hits`: none: all
 * @property {string[]} [keys] of `row`, and names of `namespace`: 1 to 100
 * @property {string} [query] of `hits`
 * @property {string} [key] of `page` and `conflict`
 * @property {Payload} [value] of `conflict`: this and what follows could not be stored
 * @property {string} [content_type]
 * @property {number} [ttl] milliseconds
 * @property {number} [if_revision]
 *
 * @typedef {object} MemoryRenderResult
 * @property {Record<string, string>} [rows] by key. Those that did not fit a message are left out
 * @property {string} [html] none: it does not fit a message
 *
 * @typedef {object} OrchestrateParams
 * @property {string} [name]
 * @property {TaskSpec} task the spec of each child; its input, key and parent are ignored
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
 * @property {number} index the index of its input
 * @property {string} task
 * @property {TaskState} state
 * @property {Payload} [output]
 * @property {FailureReason} [failure]
 * @property {string} [message]
 * @property {string} [html] its part of Skein's own page, if the lane asked for it
 */

/**
 * Memory.
 *
 * @typedef {object} MemoryEntry
 * @property {string} namespace
 * @property {string} key
 * @property {Payload} [value] absent in lists, unless they ask for values
 * @property {number} size the size of the value, in bytes
 * @property {string} [content_type]
 * @property {number} revision grows with every change of any entry
 * @property {number} previous the entry's revision before this one; 0 if it did not exist
 * @property {string} [writer]
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string} [expires_at]
 * @property {boolean} [deleted] in watches and histories: whether it was deleted or has expired
 *
 * @typedef {object} MemoryStoreParams
 * @property {string} namespace
 * @property {string} key
 * @property {Payload} [value]
 * @property {string} [content_type]
 * @property {number} [ttl] milliseconds until it expires; 0: never
 * @property {number} [if_revision] the revision that the entry must have; 0: it must not exist
 *
 * @typedef {object} MemoryKeyParams
 * @property {string} namespace
 * @property {string} key
 * @property {number} [if_revision] for delete only: the revision that the entry must have
 *
 * @typedef {object} MemoryHistoryParams
 * @property {string} namespace
 * @property {string} key
 * @property {number} [before] only values older than this revision
 *
 * @typedef {object} MemoryListParams
 * @property {string} namespace
 * @property {string} [prefix]
 * @property {string} [after] only keys behind this one
 * @property {number} [limit] the entries of one page; 0 means 1000, which is also the most
 * @property {boolean} [values] whether entries have their values, as far as they fit into one message
 *
 * @typedef {object} MemoryListResult
 * @property {MemoryEntry[]} entries
 * @property {string} [next] the `after` of the next page; absent on the last one
 * @property {number} total
 *
 * @typedef {object} MemorySearchParams
 * @property {string[]} [namespaces]
 * @property {string} query words, all of which must occur; "a phrase" in quotes; prefix* for the beginning of a word
 * @property {string} [prefix] the beginning of the key
 * @property {number} [limit] 0 means 20; at most 100
 *
 * @typedef {object} MemorySearchResult
 * @property {{entry: MemoryEntry, score: number, snippet?: string}[]} hits the best one first
 * @property {number} total
 *
 * @typedef {object} MemoryNamespace
 * @property {string} name
 * @property {number} keys
 * @property {number} bytes
 * @property {number} max_keys
 * @property {number} max_bytes
 * @property {number} revision the revision of its last change
 * @property {string} updated_at the time of that change
 *
 * @typedef {object} MemoryOne one of several answers: it has either an entry or an error
 * @property {MemoryEntry} [entry]
 * @property {WireError} [error]
 *
 * @typedef {object} MemoryWatchParams
 * @property {string} namespace
 * @property {string} [prefix]
 * @property {boolean} [values] whether entries have their values
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
 * @property {string} [sha256] hexadecimal; absent until the artifact is complete
 * @property {string} [task]
 * @property {string} [agent]
 * @property {string} [actor]
 * @property {'uploading' | 'complete'} state
 * @property {number} received how many bytes the server has stored
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
 * @property {string} [after] the `next` of an earlier list, to read on behind it
 * @property {number} [limit] undefined: all
 *
 * @typedef {object} ArtifactListResult
 * @property {Artifact[]} artifacts newest first
 * @property {string} [next] the `after` for reading on; absent at the end
 * @property {number} total
 * @property {number} bytes the size of all artifacts, whatever the filter
 *
 * @typedef {object} Bulk a line of a bulk lane
 * @property {Artifact} [artifact]
 * @property {number} offset
 * @property {boolean} [done]
 * @property {WireError} [error]
 */

export {}
