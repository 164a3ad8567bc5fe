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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// TestTheLedgerBalancesAtScale has clients ask for ten thousand spawns, tasks and memory writes while sessions are cut, requests
// are sent twice, over either transport, and the server is stopped and killed. In the end every request has had its
// effect once, and the same answer whenever it was asked for.
func TestTheLedgerBalancesAtScale(t *testing.T) {
	operations, restarts := 10_000, 6
	if raceEnabled || testing.Short() {
		operations, restarts = 1_200, 3
	}
	const clients = 12
	l := &ledger{dir: t.TempDir(), answers: make([]string, operations)}
	l.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()

	var next, done atomic.Int64
	var work sync.WaitGroup
	for i := range clients {
		c := &ledgerClient{l: l, id: fmt.Sprintf("ledger-client-%04d", i), rand: rand.New(rand.NewPCG(1, uint64(i))), transport: wire.WebSocket}
		if i%2 == 0 {
			c.transport = wire.WebTransport
		}
		work.Go(func() {
			defer c.drop()
			for ctx.Err() == nil {
				op := int(next.Add(1) - 1)
				if op >= operations {
					return
				}
				if err := c.do(ctx, op); err != nil {
					t.Errorf("operation %d: %v", op, err)
					return
				}
				done.Add(1)
			}
		})
	}
	for i := range restarts {
		for done.Load() < int64(operations*(i+1)/(restarts+1)) && ctx.Err() == nil && !t.Failed() {
			time.Sleep(2 * time.Millisecond)
		}
		l.restart(t, i%3 != 2)
	}
	work.Wait()
	if t.Failed() || ctx.Err() != nil {
		t.Fatalf("%d of %d operations were answered: %v", done.Load(), operations, ctx.Err())
	}
	l.restart(t, true)
	l.check(ctx, t)
	t.Logf("%d operations, %d restarts, %d cuts, %d repeats, %d sessions", operations, restarts, l.cuts.Load(), l.repeats.Load(), l.sessions.Load())
}

// ledger is the server, as often as it is started, and what it answered.
type ledger struct {
	dir     string
	answers []string // by operation: the id or revision that it gave

	cuts, repeats, sessions atomic.Int64

	mu    sync.Mutex
	proc  *osProcess
	addrs Addresses
	token string
}

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

// ledgerClient is one client that is treated badly.
type ledgerClient struct {
	l         *ledger
	id        string
	rand      *rand.Rand
	transport wire.Transport
	sess      webtransport.Session
	lanes     map[wire.Lane]*ledgerLane
}

type ledgerLane struct {
	str webtransport.Stream
	r   *wire.Reader
}

// do asks for one operation until it is answered.
func (c *ledgerClient) do(ctx context.Context, op int) error {
	for begin := time.Now(); ; {
		got, err := c.ask(ctx, op)
		if err == nil {
			if c.l.answers[op] = got; c.rand.IntN(20) == 0 {
				return c.askAgain(ctx, op)
			}
			return nil
		}
		var we *wire.Error
		if errors.As(err, &we) && we.Code != wire.CodeUnavailable {
			return err
		}
		if ctx.Err() != nil || time.Since(begin) > 2*time.Minute {
			return fmt.Errorf("it was not answered, at last for: %w", err)
		}
		c.drop()
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
			return fmt.Errorf("it was answered with %q, and then with %q", c.l.answers[op], got)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		c.drop()
		time.Sleep(5 * time.Millisecond)
	}
}

// ask sends the request of an operation, and now and then twice, and now and then goes away instead of listening.
func (c *ledgerClient) ask(ctx context.Context, op int) (string, error) {
	name := fmt.Sprintf("op-%05d", op)
	lane, method := wire.LaneControl, wire.MethodSpawn
	var params any = wire.SpawnParams{Type: "scripted", Name: name, Script: "exit 0"}
	switch op % 3 {
	case 1:
		lane, method = wire.LaneTask, wire.MethodTaskSubmit
		params = wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "shell", Name: name, Argv: []string{"true"}, Timeouts: wire.Timeouts{QueueMS: 3_600_000}}}}
	case 2:
		lane, method = wire.LaneMemory, wire.MethodMemoryStore
		params = wire.MemoryStoreParams{Namespace: "ledger", Key: name, Value: wire.Payload{Text: name}}
	}
	s, err := c.lane(ctx, lane)
	if err != nil {
		return "", err
	}
	line := request(fmt.Sprint(op), method, params) + "\n"
	copies := 1
	if c.rand.IntN(25) == 0 {
		copies = 2
		c.l.repeats.Add(1)
	}
	if _, err := io.WriteString(s.str, strings.Repeat(line, copies)); err != nil {
		return "", err
	}
	if c.rand.IntN(50) == 0 {
		c.l.cuts.Add(1)
		if c.rand.IntN(2) == 0 {
			time.Sleep(time.Duration(c.rand.IntN(2000)) * time.Microsecond)
		}
		return "", errors.New("cut")
	}
	var got string
	for range copies {
		// A server that was killed says nothing; QUIC finds out when it next has something to send.
		s.str.SetReadDeadline(time.Now().Add(2 * time.Second))
		m, err := s.r.Message()
		if err != nil {
			return "", err
		}
		if m.Error != nil {
			return "", m.Error
		}
		one, err := effect(op, m.Result)
		if err != nil || got != "" && got != one {
			return "", fmt.Errorf("%q, and then %q: %w", got, one, err)
		}
		got = one
	}
	return got, nil
}

// effect is what an answer says that there is now.
func effect(op int, result json.RawMessage) (string, error) {
	var r struct {
		Agents   []wire.Agent
		Tasks    []wire.Task
		Revision uint64
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return "", err
	}
	switch op % 3 {
	case 0:
		if len(r.Agents) == 1 {
			return string(r.Agents[0].ID), nil
		}
	case 1:
		if len(r.Tasks) == 1 {
			return string(r.Tasks[0].ID), nil
		}
	case 2:
		if r.Revision > 0 {
			return fmt.Sprint(r.Revision), nil
		}
	}
	return "", fmt.Errorf("the answer is %s", result)
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
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		return err
	}
	for _, d := range doc.Doors {
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
	return errors.New("no door")
}

// check counts what there is, in a client of its own.
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
			if got := agents[name]; len(got) != 1 || got[0] != answer {
				t.Errorf("%s: the agents %v, answered %s", name, got, answer)
			}
			delete(agents, name)
		case 1:
			if got := tasks[name]; len(got) != 1 || got[0] != answer {
				t.Errorf("%s: the tasks %v, answered %s", name, got, answer)
			}
			delete(tasks, name)
		case 2:
			h, err := c.MemoryHistory(ctx, wire.MemoryHistoryParams{Namespace: "ledger", Key: name})
			if err != nil || len(h.Entries) != 1 || fmt.Sprint(h.Entries[0].Revision) != answer {
				t.Errorf("%s: the history is %+v, %v, answered %s", name, h, err, answer)
			}
		}
		if t.Failed() {
			return
		}
	}
	if len(agents)+len(tasks) > 0 {
		t.Errorf("nobody asked for the agents %v and the tasks %v", agents, tasks)
	}
}
