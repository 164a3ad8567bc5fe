package acp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of an agent.
const (
	maxLine        = 64 << 20 // bytes of a message
	startTimeout   = 2 * time.Minute
	loginTimeout   = 10 * time.Minute // how long a login that an agent does itself may take; some never answer
	cancelTimeout  = 30 * time.Second // how long an agent may take to end a turn that was canceled, before that is said
	maxUpdate      = 256 << 10        // bytes of an update that is kept as it came
	maxText        = 256 << 10        // bytes of the answer that is kept as the result of a task
	maxPermissions = 64               // that an agent waits for at the same time
	maxTools       = 1000             // tool calls of a turn that are remembered
	maxToolBytes   = 8 << 20          // of what is remembered of them
	maxWord        = 1 << 10          // bytes of an id, or of a word such as the kind of a tool
)

// session is an ACP agent that was started.
type session struct {
	// static once started is closed
	runner.Session
	launch  runner.Launch
	sink    runner.Sink
	conn    *conn
	in      runner.Inputter
	started chan struct{}
	done    chan struct{}
	ctx     context.Context // ends with the process; its cause says why
	end     context.CancelCauseFunc
	work    chan struct{} // has a value when there is something for run

	telling sync.Mutex // around calls of sink
	screen  screen     // what was written of the conversation; guarded by telling

	setting chan struct{} // holds a value while an option is set

	mu       sync.Mutex
	id       string // of the ACP session; "": there is none yet
	can      abilities
	offers   offers
	doing    string // the entry of its plan that it is at; "": none
	past     past
	pastSaid bool // some of the past is shown
	told     bool // something was said in the past
	queue    []*prompt
	shown    []wire.Prompt // of the queue
	prompts  int           // counts them
	jumps    bool          // what a person writes next comes before the queue
	now      *prompt       // nil: no turn
	eof      bool          // end when the queue is done
	paused   bool          // the queue waits
	failed   string        // why the agent is being ended by us
	open     map[string]*permission
	tools    map[string]*tool
	called   []*tool // the same, what was heard of last at the end
	size     int     // of them, in bytes
	stopped  bool
	bill     bill
}

// prompt is what an agent is told.
type prompt struct {
	id   string
	text string
	task wire.TaskID // "": a person's

	// guarded by session.mu
	sent     bool            // or about to be written
	canceled bool            // one that was not sent is not sent any more
	answer   strings.Builder // what the agent has written since its last tool call; at most maxText bytes
}

// permission is a request for permission that waits.
type permission struct {
	id      json.RawMessage   // of the agent's request
	tool    string            // the id of the tool call
	shown   [sha256.Size]byte // of its description
	options []wire.AskOption
}

// tool is what is known of a tool call.
type tool struct {
	id, title, kind, status string
	shown                   string // its line, as it was written last
	input                   json.RawMessage
	content                 []toolContent
	paths                   []string
	more                    bool // than maxItems
	size                    int  // about how much memory it takes
}

// block is what a piece of the conversation is.
type block string

const (
	blockMessage block = "message"
	blockThought block = "thought"
	blockUser    block = "user" // of a session's past
	blockNote    block = "note" // a line of its own
)

// screen is where the written conversation stands.
type screen struct {
	in   block
	mid  bool   // inside a line
	tool string // the tool call whose line it is, as long as nothing else is written
}

// past says what to do with updates that tell of a session's past, while it is loaded.
type past string

const (
	pastNone   past = ""
	pastShown  past = "shown"
	pastHidden past = "hidden" // they are in the log already
)

// abilities are what an agent can do with sessions.
type abilities struct{ load, resume, list, fork bool }

// tell passes on an event.
func (s *session) tell(e runner.Event) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	return s.sink(e)
}

// log notes something about the agent.
func (s *session) log(format string, args ...any) {
	s.tell(runner.Log{Server: true, Text: fmt.Sprintf(format, args...)})
}

// fail ends the agent, because it can't be used.
func (s *session) fail(format string, args ...any) {
	s.mu.Lock()
	first := s.failed == "" && !s.stopped
	if first {
		s.failed = fmt.Sprintf(format, args...)
	}
	why := s.failed
	s.mu.Unlock()
	if first {
		s.log("%s", why)
		go s.Session.Stop(context.Background(), time.Second)
	}
}
