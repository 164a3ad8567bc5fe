package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/lines"
	"skein.dev/skein/webtransport/wire"
)

const key = "a key that nobody knows"

// heard are the events of an agent.
type heard struct {
	mu  sync.Mutex
	all []runner.Event
}

func (h *heard) sink(e runner.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
	return nil
}

// texts says what was heard, in words.
func (h *heard) texts() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.all {
		switch e := e.(type) {
		case runner.Message:
			all = append(all, string(e.Line))
		case runner.Output:
			all = append(all, string(e.Stream)+" "+string(e.Bytes))
		case runner.Permission:
			all = append(all, "asks "+e.Text)
		case runner.Withdrawn:
			all = append(all, "withdraws")
		case runner.Reach:
			all = append(all, fmt.Sprintf("away %v lost %v", e.Away, e.Lost))
		case runner.Draining:
			all = append(all, "drains")
		case runner.Log:
			all = append(all, e.Text)
		}
	}
	return all
}

// line is the way to a program, which keeps what it is sent.
type line struct {
	mu     sync.Mutex
	got    []*wire.Message
	closed bool
	deaf   chan struct{} // Send waits for it; nil: it does not
}

func (l *line) Send(b []byte) error {
	if l.deaf != nil {
		<-l.deaf
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.New("it is closed")
	}
	m, err := wire.ParseMessage(b)
	if err != nil {
		return err
	}
	l.got = append(l.got, m)
	return nil
}

func (l *line) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

func (l *line) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// methods are those of the messages that came, of answers their ids.
func (l *line) methods() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.got {
		if m.Method == wire.MethodWorkerAck {
			continue
		}
		all = append(all, m.Method+string(m.ID))
	}
	return all
}

// acked is how many messages the program knows to have arrived.
func (l *line) acked() (n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.got {
		var v wire.WorkerAck
		if m.Method == wire.MethodWorkerAck && json.Unmarshal(m.Params, &v) == nil {
			n = v.Received
		}
	}
	return n
}

func begin(t *testing.T, lease time.Duration) (*Kind, *session, *heard) {
	t.Helper()
	k, h := &Kind{}, &heard{}
	s, err := k.Start(t.Context(), runner.Launch{Agent: "a1", Key: key, Lease: lease}, h.sink)
	if err != nil {
		t.Fatal(err)
	}
	return k, s.(*session), h
}

func attach(t *testing.T, k *Kind, received uint64) (runner.Link, *line, uint64) {
	t.Helper()
	to := &line{}
	l, taken, err := k.Attach(t.Context(), "a1", key, received, to)
	if err != nil {
		t.Fatal(err)
	}
	return l, to, taken
}

// say lets the agent hear a message.
func say(t *testing.T, l runner.Link, method string, params any, id string) {
	t.Helper()
	hear(t, l, method, params, id)
	synctest.Wait()
}

// hear is say without waiting until it is handled.
func hear(t *testing.T, l runner.Link, method string, params any, id string) {
	t.Helper()
	m, err := wire.NewNotification(method, params)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		m.ID = json.RawMessage(id)
	}
	b, err := wire.AppendLine(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	l.Hear(m, b)
}

func TestMessagesArriveOnceWhateverBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s, h := begin(t, time.Minute)
		for i := range 3 { // before the program is there
			if err := s.Message(t.Context(), fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"m%d"}`+"\n", i)); err != nil {
				t.Fatal(err)
			}
		}
		l, to, taken := attach(t, k, 0)
		synctest.Wait()
		if got := to.methods(); !slices.Equal(got, []string{"m0", "m1", "m2"}) || taken != 0 {
			t.Fatalf("the program got %v, and the agent has %d of its messages", got, taken)
		}
		say(t, l, wire.MethodWorkerOutput, wire.WorkerOutput{Text: "hello\n"}, "")
		say(t, l, wire.MethodWorkerAck, wire.WorkerAck{Received: 2}, "")
		say(t, l, "task.progress", map[string]string{"task": "t1"}, "")
		synctest.Wait()
		if to.acked() != 2 {
			t.Errorf("the program knows that %d messages arrived", to.acked())
		}
		l.Gone()
		s.Input(t.Context(), []byte("typed meanwhile"), false)
		time.Sleep(59 * time.Second)
		l, to, taken = attach(t, k, 2) // it has not received m2
		synctest.Wait()
		if got := to.methods(); !slices.Equal(got, []string{"m2", wire.MethodWorkerInput}) || taken != 2 {
			t.Errorf("back again, the program got %v, and the agent has %d of its messages", got, taken)
		}
		want := []string{"output.stdout hello\n", `{"jsonrpc":"2.0","method":"task.progress","params":{"task":"t1"}}` + "\n", "away true lost false", "away false lost false"}
		if got := h.texts(); !slices.Equal(got, want) {
			t.Errorf("the agent did %q", got)
		}
		l.Gone()
		// A program that claims more than it was sent, or less than it has acknowledged, is refused.
		for _, n := range []uint64{1, 99} {
			if _, _, err := k.Attach(t.Context(), "a1", key, n, &line{}); wire.AsError(err).Code != wire.CodeInvalidParams {
				t.Errorf("a program that has received %d messages: %v", n, err)
			}
		}
		if _, _, err := k.Attach(t.Context(), "a1", "another key, as long", 2, &line{}); wire.AsError(err).Code != wire.CodeNotFound {
			t.Errorf("with another key: %v", err)
		}
		l, to, _ = attach(t, k, 2)
		say(t, l, wire.MethodWorkerLeave, struct{}{}, "")
		synctest.Wait()
		if e := s.Exit(); e.Code != 0 || !to.closed {
			t.Errorf("it ended as %+v; the line is closed: %v", e, to.closed)
		}
		l.Gone()
	})
}

func TestALeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s, h := begin(t, time.Minute)
		l, _, _ := attach(t, k, 0)
		time.Sleep(time.Hour) // while it is there, nothing ends
		l.Gone()
		time.Sleep(59 * time.Second)
		l, _, _ = attach(t, k, 0)
		l.Gone()
		time.Sleep(59 * time.Second)
		select {
		case <-s.Done():
			t.Fatal("the lease does not begin anew")
		default:
		}
		time.Sleep(2 * time.Second)
		<-s.Done()
		if e := s.Exit(); e.Code == 0 || !strings.Contains(e.Message, "lease of 1m0s") {
			t.Errorf("it ended as %+v", e)
		}
		if got := h.texts(); got[len(got)-1] != "away true lost true" {
			t.Errorf("the last that was told is %q", got)
		}
		if _, _, err := k.Attach(t.Context(), "a1", key, 0, &line{}); wire.AsError(err).Code != wire.CodeNotFound {
			t.Errorf("it comes back: %v", err)
		}
	})
}

func TestAStop(t *testing.T) {
	for name, c := range map[string]struct {
		attached, leaves bool
		forced           bool
		message          string
	}{
		"that is confirmed":      {true, true, false, ""},
		"that is ignored":        {true, false, true, "cut off"},
		"of one that is away":    {false, false, true, "was away"},
		"of one that comes back": {false, true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, s, _ := begin(t, time.Minute)
				var l runner.Link
				var to *line
				if c.attached {
					l, to, _ = attach(t, k, 0)
				}
				type result struct {
					forced bool
					at     time.Time
				}
				done := make(chan result)
				go func() { f, _ := s.Stop(context.Background(), 10*time.Second); done <- result{f, time.Now()} }()
				synctest.Wait()
				if !c.attached && c.leaves {
					time.Sleep(time.Second)
					l, to, _ = attach(t, k, 0)
					synctest.Wait()
				}
				if c.leaves {
					if got := to.methods(); !slices.Equal(got, []string{wire.MethodWorkerStop}) {
						t.Errorf("it was told %v", got)
					}
					say(t, l, wire.MethodWorkerLeave, struct{}{}, "")
				}
				r := <-done
				if e := s.Exit(); r.forced != c.forced || !strings.Contains(e.Message, c.message) || (e.Code != 0) != c.forced {
					t.Errorf("forced %v, and it ended as %+v", r.forced, e)
				}
				synctest.Wait()
				if l != nil {
					l.Gone()
				}
			})
		})
	}
}

func TestQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s, h := begin(t, time.Minute)
		l, to, _ := attach(t, k, 0)
		say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{Text: "one?"}, "1")
		say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{Text: "two?"}, `"two"`)
		say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{Text: "again?"}, "1")
		say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{}, "3")
		say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{Text: "?", Options: []wire.AskOption{{Name: "no id"}}}, "4")
		say(t, l, wire.MethodWorkerUnask, wire.WorkerUnask{ID: "two"}, "")
		h.all[0].(runner.Permission).Answer(&wire.AskAnswer{Text: "yes", By: "me"})
		synctest.Wait()
		if got := to.methods(); !slices.Equal(got, []string{"1", "3", "4", `"two"`, "1"}) {
			t.Errorf("it got the answers %v", got)
		}
		last := to.got[len(to.got)-1]
		if last.Method == wire.MethodWorkerAck {
			last = to.got[len(to.got)-2]
		}
		if string(last.Result) != `{"text":"yes","by":"me"}` {
			t.Errorf("the answer is %s", last.Result)
		}
		if got := h.texts(); !slices.Equal(got, []string{"asks one?", "asks two?", "withdraws"}) {
			t.Errorf("it did %q", got)
		}
		for i := range maxAsks + 1 {
			say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{Text: "many?"}, fmt.Sprint(100+i))
		}
		synctest.Wait()
		if n := len(s.asks); n != maxAsks {
			t.Errorf("%d questions wait", n)
		}
		l.Gone()
		s.end(wire.Exit{}, false)
	})
}

// A program that reads nothing, and one that floods: what is kept for it is bounded.
func TestWhatIsKeptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s, _ := begin(t, time.Hour)
		big := []byte(strings.Repeat("x", 1<<20))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		for ; s.Message(ctx, big) == nil; n++ {
		}
		if n != maxKept>>20 {
			t.Errorf("%d MiB are kept", n)
		}
		to := &line{deaf: make(chan struct{})}
		l, _, err := k.Attach(t.Context(), "a1", key, 0, to)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; !to.isClosed(); i++ { // each is answered with an error
			if i == 10_000 {
				t.Error("it goes on")
				break
			}
			say(t, l, wire.MethodWorkerAsk, wire.WorkerAsk{Options: []wire.AskOption{{Name: strings.Repeat("x", 10_000)}}}, fmt.Sprint(i))
		}
		if s.size > maxKept+1<<20 || l.(*link).size > maxHeard {
			t.Errorf("%d bytes are kept, and %d wait", s.size, l.(*link).size)
		}
		close(to.deaf)
		synctest.Wait()
		l.Gone()
	})
}

// What comes on a connection after a message that was not taken would be taken for that one.
func TestNothingIsHeardAfterAMessageThatWasNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s, h := begin(t, time.Minute)
		blocked := make(chan struct{})
		sink := s.sink
		s.sink = func(e runner.Event) error { <-blocked; return sink(e) }
		l, _, _ := attach(t, k, 0)
		over := make(chan struct{})
		go func() {
			defer close(over)
			for i := range 2 * maxHeard >> 20 { // more than there is space for
				hear(t, l, wire.MethodWorkerOutput, wire.WorkerOutput{Text: fmt.Sprintf("%d %s", i, strings.Repeat("x", 1<<20-200))}, "")
			}
			hear(t, l, wire.MethodWorkerOutput, wire.WorkerOutput{Text: "the last"}, "")
		}()
		synctest.Wait()
		l.(*link).close()
		synctest.Wait()
		close(blocked)
		<-over
		l.Gone()
		heard := h.texts()
		if got := s.received; got == 0 || got >= 2*maxHeard>>20 || slices.Contains(heard, "output.stdout the last") {
			t.Errorf("%d messages were counted; the last that was heard begins with %.30q", got, heard[len(heard)-2])
		}
		s.end(wire.Exit{}, false)
	})
}

// FuzzHear lets an agent hear anything: it counts each message, and ends by worker.leave alone.
func FuzzHear(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","method":"worker.output","params":{"text":"x","stderr":true}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"worker.ask","params":{"text":"?","options":[{"id":"a","name":"b","kind":"allow_once"}]}}` + "\n" + `{"jsonrpc":"2.0","method":"worker.unask","params":{"id":"1"}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":"d","method":"worker.drain"}` + "\n" + `{"jsonrpc":"2.0","method":"worker.leave"}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"worker.ack","params":{"received":18446744073709551615}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"worker.ack","params":{"received":-1}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"worker.output","params":{"base64":"//79"}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		k, h := &Kind{}, &heard{}
		started, err := k.Start(t.Context(), runner.Launch{Agent: "a1", Key: key, Lease: time.Hour}, h.sink)
		if err != nil {
			t.Fatal(err)
		}
		s := started.(*session)
		s.Message(t.Context(), []byte("one\n"))
		l, _, err := k.Attach(t.Context(), "a1", key, 0, &line{closed: true})
		if err != nil {
			t.Fatal(err)
		}
		n, left := uint64(0), false
		for b := range strings.Lines(string(in)) {
			m, err := wire.ParseMessage([]byte(b))
			if err != nil {
				continue
			}
			l.Hear(m, []byte(b))
			if m.Method != wire.MethodWorkerAck {
				n++
			}
			left = left || m.Method == wire.MethodWorkerLeave
		}
		l.Gone()
		s.mu.Lock()
		if s.received != n || s.ended != left || len(s.kept) > 1+int(n) || s.before > 1+n {
			t.Errorf("%d of %d messages were counted, it ended: %v; %d are kept, %d acknowledged", s.received, n, s.ended, len(s.kept), s.before)
		}
		s.mu.Unlock()
		s.end(wire.Exit{}, true)
	})
}

// A stop that nobody has confirmed is not reported as an orderly one, though the lease ends before the grace.
func TestAStopThatTheLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s, _ := begin(t, 5*time.Second)
		l, _, _ := attach(t, k, 0)
		l.Gone()
		if forced, _ := s.Stop(t.Context(), 10*time.Second); !forced {
			t.Errorf("it is reported as not forced, and ended as %+v", s.Exit())
		}
		time.Sleep(time.Minute)
	})
}

// Requests whose answers are large, more than there is room for what was not acknowledged: the program acknowledges what it gets, and
// each is answered.
func TestAnswersThatFillTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &Kind{}
		big := strings.Repeat("x", wire.MaxMemoryValue)
		run, err := lines.Over(k).Start(t.Context(), runner.Launch{Agent: "a1", Key: key, Lease: time.Minute}, func(e runner.Event) error {
			if call, ok := e.(runner.Call); ok {
				go call.Reply(big, nil)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// What the program sends is heard in its order, so that its acknowledgments come behind what it had sent before.
		const many = 100
		sent := make(chan func(runner.Link), 10*many)
		to := &acking{got: map[string]bool{}, sent: sent}
		l, _, err := k.Attach(t.Context(), "a1", key, 0, to)
		if err != nil {
			t.Fatal(err)
		}
		for i := range many {
			sent <- func(l runner.Link) { say(t, l, "memory.retrieve", struct{}{}, fmt.Sprint(i)) }
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			for f := range sent {
				f(l)
			}
			l.Gone()
		}()
		time.Sleep(time.Hour)
		to.mu.Lock()
		if n := len(to.got); n != many {
			t.Errorf("%d of %d requests were answered", n, many)
		}
		to.mu.Unlock()
		close(sent)
		<-over
		run.Stop(t.Context(), 0)
	})
}

// acking is the way to a program that acknowledges what it gets.
type acking struct {
	mu   sync.Mutex
	got  map[string]bool
	n    uint64
	sent chan<- func(runner.Link)
}

func (a *acking) Send(b []byte) error {
	m, err := wire.ParseMessage(b)
	if err != nil || m.Method == wire.MethodWorkerAck {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.got[string(m.ID)] = true
	n := a.n
	a.sent <- func(l runner.Link) {
		m, _ := wire.NewNotification(wire.MethodWorkerAck, wire.WorkerAck{Received: n})
		l.Hear(m, nil)
	}
	return nil
}

func (*acking) Close() {}
