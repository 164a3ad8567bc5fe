package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// TestTheLedgerBalancesAtScale has clients ask for ten thousand spawns, tasks and memory writes while sessions are cut, requests
// are sent twice, over either transport, and the server is stopped and killed. Some of the writes go to few keys, and some
// of those that were not answered are asked for again only when others have written, and after another restart. In the end
// every request has had its effect once, and the same answer whenever it was asked for.
func TestTheLedgerBalancesAtScale(t *testing.T) {
	operations, restarts := kit.Less(10_000, 120), kit.Less(6, 1)
	clients := kit.Less(12, 6)
	l := &ledger{dir: t.TempDir(), answers: make([]written, operations)}
	l.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()

	var next, done atomic.Int64
	var work sync.WaitGroup
	for i := range clients {
		c := &ledgerClient{l: l, id: fmt.Sprintf("ledger-client-%04d", i), rand: rand.New(rand.NewPCG(1, uint64(i))), transport: wire.WebSocket, expect: map[int]uint64{}}
		if i%2 == 0 {
			c.transport = wire.WebTransport
		}
		work.Go(func() {
			defer c.drop()
			for ctx.Err() == nil {
				op, later := c.due(&next, operations)
				if op < 0 {
					return
				}
				answered, err := c.do(ctx, op, later)
				if err != nil {
					t.Errorf("operation %d: %v", op, err)
					return
				}
				if answered {
					done.Add(1)
				}
			}
		})
	}
	for i := range restarts {
		for done.Load() < int64(operations*(i+1)/(restarts+1)) && ctx.Err() == nil && !t.Failed() {
			time.Sleep(2 * time.Millisecond)
		}
		l.restart(t, i%3 != 2)
		l.restarts.Add(1)
	}
	work.Wait()
	if t.Failed() || ctx.Err() != nil {
		t.Fatalf("%d of %d operations were answered: %v", done.Load(), operations, ctx.Err())
	}
	l.restart(t, true)
	l.check(ctx, t)
	t.Logf("%d operations, %d restarts, %d cuts, %d repeats, %d of them late, %d sessions",
		operations, restarts, l.cuts.Load(), l.repeats.Load(), l.late.Load(), l.sessions.Load())
}

// ledger has the server, over all its starts, and its answers.
type ledger struct {
	dir     string
	answers []written // by operation

	cuts, repeats, late, sessions, restarts atomic.Int64
	newest                                  [hotKeys]atomic.Uint64 // a revision that each hot key had

	mu    sync.Mutex
	proc  *osProcess
	addrs Addresses
	token string
}

// written is the outcome of an operation.
type written struct {
	effect   string // the id, or the revision; conflicted
	previous uint64 // the revision before a write
}

// conflicted is the effect of a write with a revision that is no longer the newest.
const conflicted = "conflict"

// hotKeys is the number of keys that half of the writes go to.
const hotKeys = 3

// hotKey returns which of them an operation writes, or -1.
func hotKey(op int) int {
	if op%6 == 5 {
		return op / 6 % hotKeys
	}
	return -1
}

// guarded reports whether an operation on a hot key has a revision.
func guarded(op int) bool { return op/6%2 == 0 }

type osProcess struct {
	kill func(sig os.Signal)
	wait func()
}

func (l *ledger) start(t *testing.T) {
	t.Helper()
	cmd, addrs := startProcess(t, l.dir)
	token, err := client.ReadToken(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proc = &osProcess{func(s os.Signal) { cmd.Process.Signal(s) }, func() { cmd.Wait() }}
	l.addrs, l.token = addrs, token
}

func (l *ledger) restart(t *testing.T, kill bool) {
	t.Helper()
	l.mu.Lock()
	p := l.proc
	l.mu.Unlock()
	if kill {
		p.kill(syscall.SIGKILL)
	} else {
		p.kill(syscall.SIGTERM)
	}
	p.wait()
	l.start(t)
}

// ledgerClient is one client whose sessions are cut.
type ledgerClient struct {
	l         *ledger
	id        string
	rand      *rand.Rand
	transport wire.Transport
	sess      webtransport.Session
	lanes     map[wire.Lane]*ledgerLane
	later     []postponed
	expect    map[int]uint64 // the revisions that operations have
}

// postponed is an operation that was not answered, and when it is asked for again.
type postponed struct {
	op       int
	restarts int64
}

type ledgerLane struct {
	str webtransport.Stream
	r   *wire.Reader
}

// due returns the next operation, or -1, and whether it was postponed.
func (c *ledgerClient) due(next *atomic.Int64, operations int) (op int, later bool) {
	over := next.Load() >= int64(operations)
	for i, p := range c.later {
		if over || c.l.restarts.Load() >= p.restarts {
			c.later = slices.Delete(c.later, i, i+1)
			c.l.late.Add(1)
			return p.op, true
		}
	}
	if op = int(next.Add(1) - 1); op >= operations {
		return -1, false
	}
	return op, false
}

// do sends one operation until it is answered, or postpones it.
func (c *ledgerClient) do(ctx context.Context, op int, later bool) (answered bool, err error) {
	for begin := time.Now(); ; {
		got, err := c.ask(ctx, op)
		if err == nil {
			if c.l.answers[op] = got; c.rand.IntN(20) == 0 {
				return true, c.askAgain(ctx, op)
			}
			return true, nil
		}
		var we *wire.Error
		if errors.As(err, &we) && we.Code != wire.CodeUnavailable && we.Code != wire.CodeOutcomeUnknown { // which ask for the same again
			return false, err
		}
		if ctx.Err() != nil || time.Since(begin) > 2*time.Minute {
			return false, fmt.Errorf("it was not answered, at last for: %w", err)
		}
		c.drop()
		if hotKey(op) >= 0 && !later && c.rand.IntN(2) == 0 {
			c.later = append(c.later, postponed{op, c.l.restarts.Load() + 2})
			return false, nil
		}
		if c.rand.IntN(2) == 0 {
			c.transport = other(c.transport)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// askAgain repeats an operation that was answered, over the other transport: the answer is the same.
func (c *ledgerClient) askAgain(ctx context.Context, op int) error {
	c.drop()
	c.transport = other(c.transport)
	for {
		c.l.repeats.Add(1)
		got, err := c.ask(ctx, op)
		switch {
		case err == nil && got != c.l.answers[op]:
			return fmt.Errorf("it was answered with %v, and then with %v", c.l.answers[op], got)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		c.drop()
		time.Sleep(5 * time.Millisecond)
	}
}

// ask sends the request of an operation, sometimes twice, and sometimes leaves before the answer.
func (c *ledgerClient) ask(ctx context.Context, op int) (got written, err error) {
	name := fmt.Sprintf("op-%05d", op)
	lane, method := wire.LaneControl, wire.MethodSpawn
	var params any = wire.SpawnParams{Type: "scripted", Name: name, Script: "exit 0"}
	switch op % 3 {
	case 1:
		lane, method = wire.LaneTask, wire.MethodTaskSubmit
		params = wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "shell", Name: name, Argv: []string{"true"}, Timeouts: wire.Timeouts{QueueMS: 3_600_000}}}}
	case 2:
		lane, method = wire.LaneMemory, wire.MethodMemoryStore
		params = c.store(op, name)
	}
	s, err := c.lane(ctx, lane)
	if err != nil {
		return got, err
	}
	line := request(fmt.Sprint(op), method, params) + "\n"
	copies := 1
	if c.rand.IntN(25) == 0 {
		copies = 2
		c.l.repeats.Add(1)
	}
	if _, err := io.WriteString(s.str, strings.Repeat(line, copies)); err != nil {
		return got, err
	}
	if c.rand.IntN(50) == 0 {
		c.l.cuts.Add(1)
		if c.rand.IntN(2) == 0 {
			time.Sleep(time.Duration(c.rand.IntN(2000)) * time.Microsecond)
		}
		return got, errors.New("cut")
	}
	for range copies {
		// A killed server sends nothing; QUIC notices when it next has something to send.
		s.str.SetReadDeadline(time.Now().Add(2 * time.Second))
		m, err := s.r.Message()
		if err != nil {
			return got, err
		}
		one, err := c.effect(op, m)
		if err != nil {
			return got, err
		}
		if got.effect != "" && got != one {
			return got, fmt.Errorf("%v, and then %v", got, one)
		}
		got = one
	}
	return got, nil
}

// store is what an operation on memory asks for, each time the same.
func (c *ledgerClient) store(op int, name string) wire.MemoryStoreParams {
	p := wire.MemoryStoreParams{Namespace: "ledger", Key: name, Value: wire.Payload{Text: name}}
	hot := hotKey(op)
	if hot < 0 {
		return p
	}
	p.Key = fmt.Sprintf("hot-%d", hot)
	if guarded(op) {
		if _, known := c.expect[op]; !known {
			c.expect[op] = c.l.newest[hot].Load()
		}
		p.IfRevision = new(c.expect[op])
	}
	return p
}

// effect returns the effect that an answer reports.
func (c *ledgerClient) effect(op int, m *wire.Message) (got written, err error) {
	if m.Error != nil && m.Error.Code == wire.CodeConflict && hotKey(op) >= 0 && guarded(op) {
		return written{effect: conflicted}, nil
	}
	if m.Error != nil {
		return got, m.Error
	}
	var r struct {
		Agents             []wire.Agent
		Tasks              []wire.Task
		Revision, Previous uint64
	}
	if err := json.Unmarshal(m.Result, &r); err != nil {
		return got, err
	}
	switch op % 3 {
	case 0:
		if len(r.Agents) == 1 {
			return written{effect: string(r.Agents[0].ID)}, nil
		}
	case 1:
		if len(r.Tasks) == 1 {
			return written{effect: string(r.Tasks[0].ID)}, nil
		}
	case 2:
		if r.Revision > 0 {
			if hot := hotKey(op); hot >= 0 {
				c.l.newest[hot].Store(r.Revision)
			}
			return written{fmt.Sprint(r.Revision), r.Previous}, nil
		}
	}
	return got, fmt.Errorf("the answer is %s", m.Result)
}

func (c *ledgerClient) drop() {
	if c.sess != nil {
		go c.sess.Close(uint32(wire.CloseNormal), "")
	}
	c.sess, c.lanes = nil, nil
}

// lane opens a lane of the session, and the session, if need be.
func (c *ledgerClient) lane(ctx context.Context, name wire.Lane) (*ledgerLane, error) {
	if c.sess == nil {
		if err := c.join(ctx); err != nil {
			return nil, err
		}
	}
	if s := c.lanes[name]; s != nil {
		return s, nil
	}
	s, err := c.open(ctx, fmt.Sprintf(`{"lane":%q}`, name)+"\n")
	if err == nil {
		c.lanes[name] = s
	}
	return s, err
}

func (c *ledgerClient) open(ctx context.Context, first string) (*ledgerLane, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	str, err := c.sess.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(str, first); err != nil {
		return nil, err
	}
	return &ledgerLane{str, wire.NewReader(str)}, nil
}

func (c *ledgerClient) join(ctx context.Context) error {
	c.l.mu.Lock()
	addrs, token := c.l.addrs, c.l.token
	c.l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, addrs.HTTP+"/connect", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := webClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var doc wire.Connect
	if err := errors.Join(json.NewDecoder(res.Body).Decode(&doc), doc.Resolve(req.URL)); err != nil {
		return err
	}
	for _, d := range doc.Endpoints {
		if d.Transport != c.transport {
			continue
		}
		if c.sess, err = through(ctx, d, nil); err != nil {
			c.sess = nil
			return err
		}
		c.l.sessions.Add(1)
		hello := helloLine(wire.Hello{Versions: []string{wire.Version}, Ticket: d.Ticket, Client: wire.ClientInfo{ID: c.id, Name: "ledger"}, NoStatus: true})
		s, err := c.open(ctx, controlHeader+"\n"+hello+"\n")
		if err != nil {
			return err
		}
		s.str.SetReadDeadline(time.Now().Add(patience))
		m, err := s.r.Message()
		if err != nil {
			return err
		}
		if m.Error != nil {
			return fmt.Errorf("hello: %s", m.Error.Message)
		}
		c.lanes = map[wire.Lane]*ledgerLane{wire.LaneControl: s}
		return nil
	}
	return errors.New("no endpoint")
}

// check counts all records with a separate client.
func (l *ledger) check(ctx context.Context, t *testing.T) {
	t.Helper()
	o, err := client.FindLocal(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	agents, tasks := map[string][]string{}, map[string][]string{}
	for ch, err := range c.Watch(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range ch.Agents {
			if a.ForTask == "" {
				agents[a.Name] = append(agents[a.Name], string(a.ID))
			}
		}
		break
	}
	for u, err := range c.TaskWatch(ctx, wire.TaskWatchParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range u.Tasks {
			tasks[task.Name] = append(tasks[task.Name], string(task.ID))
		}
		break
	}
	for op, answer := range l.answers {
		name := fmt.Sprintf("op-%05d", op)
		switch op % 3 {
		case 0:
			if got := agents[name]; len(got) != 1 || got[0] != answer.effect {
				t.Errorf("%s: the agents %v, answered %s", name, got, answer.effect)
			}
			delete(agents, name)
		case 1:
			if got := tasks[name]; len(got) != 1 || got[0] != answer.effect {
				t.Errorf("%s: the tasks %v, answered %s", name, got, answer.effect)
			}
			delete(tasks, name)
		case 2:
			if hotKey(op) >= 0 {
				continue
			}
			h, err := c.MemoryHistory(ctx, wire.MemoryHistoryParams{Namespace: "ledger", Key: name})
			if err != nil || len(h.Entries) != 1 || fmt.Sprint(h.Entries[0].Revision) != answer.effect {
				t.Errorf("%s: the history is %+v, %v, answered %s", name, h, err, answer.effect)
			}
		}
		if t.Failed() {
			return
		}
	}
	l.checkHot(ctx, t, c)
	if len(agents)+len(tasks) > 0 {
		t.Errorf("nobody asked for the agents %v and the tasks %v", agents, tasks)
	}
}

// checkHot follows each hot key from its first write to its last: each write was answered once, and there are no others.
func (l *ledger) checkHot(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	var conflicts int
	for hot := range hotKeys {
		next := map[uint64]uint64{}
		for op, answer := range l.answers {
			switch {
			case op%3 != 2 || hotKey(op) != hot:
			case answer.effect == conflicted:
				conflicts++
			default:
				revision, err := strconv.ParseUint(answer.effect, 10, 64)
				if err != nil || next[answer.previous] != 0 {
					t.Errorf("operation %d: the answer %v, after %d there is %d already, %v", op, answer, answer.previous, next[answer.previous], err)
				}
				next[answer.previous] = revision
			}
		}
		key := fmt.Sprintf("hot-%d", hot)
		e, err := c.MemoryRetrieve(ctx, wire.MemoryKeyParams{Namespace: "ledger", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		last, steps := uint64(0), 0
		for ; next[last] != 0; steps++ {
			last = next[last]
		}
		if steps != len(next) || last != e.Revision {
			t.Errorf("%s: of %d writes that were answered, %d follow each other, up to revision %d; the key has %d", key, len(next), steps, last, e.Revision)
		}
	}
	t.Logf("%d writes to hot keys were refused by their revision", conflicts)
}
