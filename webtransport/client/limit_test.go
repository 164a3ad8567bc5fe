package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// oddServer answers as no server of ours does. Its sessions come over WebSocket.
type oddServer struct {
	*httptest.Server
	answer func(h wire.Header, m *wire.Message, say func(string))
	status string // what stands on the status lane behind its header; "": there is none

	mu    sync.Mutex
	asked map[string]int // by method
}

func odd(t *testing.T, s *oddServer) *client.Client {
	t.Helper()
	s.asked = map[string]int{}
	var work sync.WaitGroup
	mux := http.NewServeMux()
	mux.HandleFunc("POST /connect", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(wire.Connect{Version: wire.Version, Node: "odd", Policy: wire.Policy{BackoffMinMS: 1, BackoffMaxMS: 2, HealthyMS: 1000, PingMS: 1000},
			Endpoints: []wire.Endpoint{{Transport: wire.WebSocket, URL: "ws" + strings.TrimPrefix(s.URL, "http") + "/ws", Protocols: []string{"qmux-02.skein.v1"}, Ticket: "t"}}})
	})
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		sess, err := webtransport.AcceptWebSocket(w, r, webtransport.WebSocketConfig{Protocols: []string{wire.Version}})
		if err != nil {
			t.Error(err)
			return
		}
		defer sess.Close(0, "")
		for {
			str, err := sess.AcceptStream(r.Context())
			if err != nil {
				return
			}
			work.Go(func() { s.lane(sess, str) })
		}
	})
	s.Server = httptest.NewServer(mux)
	c, err := client.Dial(t.Context(), client.Options{URL: s.URL, Token: "x", Transport: client.WebSocket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.CloseClientConnections()
		s.Close()
		work.Wait()
	})
	return c
}

func (s *oddServer) lane(sess webtransport.Session, str webtransport.Stream) {
	r := wire.NewReader(str)
	h, err := r.Header()
	if err != nil {
		return
	}
	say := func(line string) { str.Write([]byte(line + "\n")) }
	for {
		m, err := r.Message()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.asked[m.Method]++
		s.mu.Unlock()
		switch m.Method {
		case wire.MethodHello:
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"version":"skein.v1","session":"s","epoch":"e","node":"odd","limits":{"max_message":1048576}}}`, m.ID))
			if s.status != "" {
				if lane, err := sess.OpenStream(sess.Context()); err == nil {
					go lane.Write([]byte(`{"lane":"status"}` + "\n" + s.status + "\n"))
				}
			}
		case wire.MethodPing:
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, m.ID))
		default:
			s.answer(h, m, say)
		}
	}
}

func (s *oddServer) times(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[method]
}

// overLine is the text of a message that no client reads.
var overLine = sync.OnceValue(func() string { return strings.Repeat("x", wire.MaxLine) })

func TestAnAnswerPastTheLimitEndsItsRequestAndNoOther(t *testing.T) {
	t.Parallel()
	later := make(chan string, 8) // ids of admission.get, which waits until the list was answered
	s := &oddServer{answer: func(_ wire.Header, m *wire.Message, say func(string)) {
		switch m.Method {
		case wire.MethodList:
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"agents":[],"more":"%s"}}`, m.ID, overLine()))
		case wire.MethodTaskGet:
			say(`{"jsonrpc":"2.0","result":"` + overLine() + `","id":` + string(m.ID) + `}`)
		case wire.MethodAdmission:
			if later <- string(m.ID); len(later) > 1 { // asked again over the next session
				say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"closed":true}}`, m.ID))
			}
		}
	}}
	c := odd(t, s)
	type got struct {
		a   *wire.Admission
		err error
	}
	admission := make(chan got, 1)
	go func() {
		a, err := c.Admission(t.Context())
		admission <- got{a, err}
	}()
	kit.Eventually(t, "the other request is there", func() bool { return len(later) == 1 })
	_, err := c.List(t.Context(), wire.Filter{})
	tooLarge(t, "a list", err)
	if g := <-admission; g.err != nil || !g.a.Closed {
		t.Errorf("the request beside it: %+v, %v", g.a, g.err)
	}
	// Of this answer the client can't tell what it answers.
	_, err = c.TaskGet(t.Context(), "t1")
	tooLarge(t, "a task", err)
	if _, err := c.Admission(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if list, get := s.times(wire.MethodList), s.times(wire.MethodTaskGet); list != 1 || get != 1 {
		t.Errorf("the list was asked for %d times, the task %d times; want once each", list, get)
	}
}

// tooLarge checks that an error names the limit.
func tooLarge(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, &wire.Error{Code: wire.CodeTooLarge}) || !strings.Contains(err.Error(), fmt.Sprint(wire.MaxLine)) {
		t.Errorf("%s: %v, want too_large with the limit %d", what, err, wire.MaxLine)
	}
}

func TestASubscriptionPastTheLimitEnds(t *testing.T) {
	t.Parallel()
	s := &oddServer{status: `{"jsonrpc":"2.0","method":"status.snapshot","params":"` + overLine() + `"}`}
	s.answer = func(_ wire.Header, m *wire.Message, say func(string)) {
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"epoch":"e","recovered":true,"watch":1}}`, m.ID))
		say(`{"jsonrpc":"2.0","method":"tasks","params":"` + overLine() + `"}`)
	}
	c := odd(t, s)
	for _, err := range c.TaskWatch(t.Context(), wire.TaskWatchParams{}) {
		tooLarge(t, "a watch of tasks", err)
	}
	for _, err := range c.MemoryWatch(t.Context(), wire.MemoryWatchParams{Namespace: "n"}) {
		tooLarge(t, "a watch of memory", err)
	}
	for range 2 { // the second begins when the lane is broken already
		for _, err := range c.Watch(t.Context()) {
			tooLarge(t, "a watch of the fleet", err)
		}
	}
	if n := s.times(wire.MethodTaskWatch); n != 1 {
		t.Errorf("the watch was asked for %d times, want once", n)
	}
}

func TestARequestPastTheLimitIsNotSent(t *testing.T) {
	t.Parallel()
	s := &oddServer{answer: func(wire.Header, *wire.Message, func(string)) {}}
	c := odd(t, s)
	long := strings.Repeat("x", wire.MaxMessage)
	check := func(what string, err error, limit int) {
		t.Helper()
		if !errors.Is(err, &wire.Error{Code: wire.CodeTooLarge}) || !strings.Contains(err.Error(), fmt.Sprint(limit)) {
			t.Errorf("%s: %v, want too_large with the limit %d", what, err, limit)
		}
	}
	_, err := c.List(t.Context(), wire.Filter{Query: long})
	check("a list", err, wire.MaxMessage)
	for _, err := range c.TaskWatch(t.Context(), wire.TaskWatchParams{Filter: wire.TaskFilter{Query: long}}) {
		check("a watch", err, wire.MaxMessage)
	}
	for _, err := range c.Events(t.Context(), wire.AgentID(long), client.EventOptions{}) {
		check("events", err, wire.MaxHeader)
	}
	if s.times(wire.MethodList)+s.times(wire.MethodTaskWatch) != 0 {
		t.Error("a request that is too long was sent")
	}
}
