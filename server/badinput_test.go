package server

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

func TestBadMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", wire.MaxRequestID)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		agent := n.script(t, "read")
		p := n.join(t, tr)
		for name, c := range map[string]struct {
			line  string
			id    string
			code  wire.ErrorCode
			field string
		}{
			"garbage":                  {"\x16\x03\x01\x02 GET / HTTP/1.1", "null", wire.CodeParse, ""},
			"half an object":           {`{"jsonrpc":"2.0","id":1,`, "null", wire.CodeParse, ""},
			"a word":                   {`hello`, "null", wire.CodeParse, ""},
			"a number":                 {`5`, "null", wire.CodeInvalidRequest, ""},
			"a batch":                  {"[" + request("1", wire.MethodPing, nil) + "]", "null", wire.CodeInvalidRequest, ""},
			"an empty batch":           {"[]", "null", wire.CodeInvalidRequest, ""},
			"another JSON-RPC":         {`{"jsonrpc":"1.0","id":1,"method":"ping"}`, "null", wire.CodeInvalidRequest, ""},
			"no method":                {`{"jsonrpc":"2.0","id":1}`, "null", wire.CodeInvalidRequest, ""},
			"a method of a wrong type": {`{"jsonrpc":"2.0","id":1,"method":5}`, "null", wire.CodeInvalidRequest, ""},
			"an id that is a list":     {`{"jsonrpc":"2.0","id":[1],"method":"ping"}`, "null", wire.CodeInvalidRequest, ""},
			"an id that is an object":  {`{"jsonrpc":"2.0","id":{},"method":"ping"}`, "null", wire.CodeInvalidRequest, ""},
			"an id that is true":       {`{"jsonrpc":"2.0","id":true,"method":"ping"}`, "null", wire.CodeInvalidRequest, ""},
			"an id that is too long":   {`{"jsonrpc":"2.0","id":"` + long + `","method":"ping"}`, "null", wire.CodeInvalidRequest, ""},
			"an unknown method":        {request("2", "agent.fly", nil), "2", wire.CodeMethodNotFound, ""},
			"a note as a method":       {request("3", wire.NoteGoodbye, nil), "3", wire.CodeMethodNotFound, ""},
			"a type that is a number":  {request("4", wire.MethodSpawn, map[string]any{"type": 5}), "4", wire.CodeInvalidParams, "type"},
			"a count that is a word":   {request("5", wire.MethodSpawn, map[string]any{"type": "shell", "count": "three"}), "5", wire.CodeInvalidParams, "count"},
			"an argv that is a string": {request("6", wire.MethodSpawn, map[string]any{"type": "shell", "argv": "ls -l"}), "6", wire.CodeInvalidParams, "argv"},
			"an env with a number":     {request("7", wire.MethodSpawn, map[string]any{"type": "shell", "argv": []string{"true"}, "env": map[string]any{"A": 1}}), "7", wire.CodeInvalidParams, "env"},
			"an id that is no id":      {request("8", wire.MethodGet, map[string]any{"id": 5}), "8", wire.CodeInvalidParams, "id"},
			"a status that is none":    {request("19", wire.MethodList, map[string]any{"status": []string{"lively"}}), "19", wire.CodeInvalidParams, "status"},
			"a filter of a wrong type": {request("9", wire.MethodList, map[string]any{"labels": []string{"a"}}), "9", wire.CodeInvalidParams, "labels"},
			"a grace that is a word":   {request("10", wire.MethodStop, map[string]any{"ids": []string{string(agent.ID)}, "grace_ms": "soon"}), "10", wire.CodeInvalidParams, "grace_ms"},
			"bytes that are not":       {request("11", wire.MethodInput, map[string]any{"id": agent.ID, "base64": "%%%"}), "11", wire.CodeInvalidParams, ""},
			"a scope that is none":     {request("12", wire.MethodStop, map[string]any{"scope": "world"}), "12", wire.CodeInvalidParams, "scope"},
			"params that are a list":   {`{"jsonrpc":"2.0","id":13,"method":"agent.list","params":[1]}`, "13", wire.CodeInvalidParams, ""},
			"params that are a string": {`{"jsonrpc":"2.0","id":14,"method":"agent.get","params":"a1"}`, "14", wire.CodeInvalidParams, ""},
			"a time that is a word":    {request("15", wire.MethodPing, map[string]any{"time": "now"}), "15", wire.CodeInvalidParams, "time"},
			"a search for nothing":     {request("20", wire.MethodAgentSearch, map[string]any{"id": agent.ID}), "20", wire.CodeInvalidParams, "query"},
			"half an expression":       {request("21", wire.MethodAgentSearch, map[string]any{"id": agent.ID, "query": "(", "regexp": true}), "21", wire.CodeInvalidParams, "query"},
			"a limit that is a word":   {request("22", wire.MethodAgentSearch, map[string]any{"id": agent.ID, "query": "x", "limit": "all"}), "22", wire.CodeInvalidParams, "limit"},
			"a seq below zero":         {request("23", wire.MethodAgentEvents, map[string]any{"id": agent.ID, "after": -1}), "23", wire.CodeInvalidParams, "after"},
			"a sort that is none":      {request("24", wire.MethodAgentEvents, map[string]any{"id": agent.ID, "which": "stdout"}), "24", wire.CodeInvalidParams, "which"},
			"a search of no agent":     {request("25", wire.MethodAgentSearch, map[string]any{"id": "anope", "query": "x"}), "25", wire.CodeNotFound, "id"},
			"an unknown agent":         {request("16", wire.MethodGet, wire.AgentParams{ID: "anope"}), "16", wire.CodeNotFound, "id"},
			"an unknown type":          {request("17", wire.MethodSpawn, wire.SpawnParams{Type: "nope"}), "17", wire.CodeNotFound, "type"},
		} {
			t.Run(name, func(t *testing.T) {
				p.ctrl.say(t, "", c.line)
				m := p.ctrl.answerTo(t, c.id)
				isError(t, m, c.code, c.field)
				if c.code == wire.CodeMethodNotFound && (m.Error == nil || m.Error.Data == nil || !slices.Contains(m.Error.Data.Supported, wire.MethodSpawn)) {
					t.Errorf("the methods are not named: %+v", m.Error)
				}
			})
		}
		p.ctrl.say(t, `{"jsonrpc":"2.0","id":99,"result":{}}`, request("", wire.MethodPing, nil), request("", "agent.fly", nil)) // nothing to answer
		p.ping(t)
		if got := n.plane.List(wire.Filter{}).Total; got != 1 {
			t.Errorf("%d agents exist, want the one from before", got)
		}
		if a, _ := n.plane.Get(agent.ID); a.Status != wire.StatusRunning {
			t.Errorf("the agent is %s", a.Status)
		}
	})
}

func TestLinesThatEndASession(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		for name, c := range map[string]struct {
			send func(p *peer)
			want wire.CloseCode
		}{
			"an oversized line":        {func(p *peer) { p.ctrl.Write([]byte(strings.Repeat("x", wire.MaxMessage) + "\n")) }, wire.CloseTooMuch},
			"a line that does not end": {func(p *peer) { p.ctrl.Write([]byte(strings.Repeat("x", wire.MaxMessage+1))) }, wire.CloseTooMuch},
			"an oversized request": {func(p *peer) {
				p.ctrl.Write([]byte(request("1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Script: strings.Repeat("# x\n", wire.MaxMessage/4)}) + "\n"))
			}, wire.CloseTooMuch},
			"half a line": {func(p *peer) { p.ctrl.Write([]byte(`{"jsonrpc":"2.0","id":1,"met`)); p.ctrl.Close() }, wire.CloseProtocol},
			"a reset":     {func(p *peer) { p.ctrl.CancelWrite(uint32(wire.StreamCanceled)) }, wire.CloseProtocol},
		} {
			t.Run(name, func(t *testing.T) {
				beside, p := n.join(t, tr), n.join(t, tr)
				go c.send(p) // it may wait for credit forever
				if bye, came := p.goodbye(); came && (bye.Code != c.want || bye.ReconnectAfterMS != -1) {
					t.Errorf("goodbye %+v", bye)
				}
				if code, _ := closed(t, p); code != c.want {
					t.Errorf("closed with %d, want %d", code, c.want)
				}
				beside.ping(t)
			})
		}
		if got := n.plane.List(wire.Filter{}).Total; got != 0 {
			t.Errorf("%d agents exist", got)
		}
	})
}

func TestTheLargestMessageIsTaken(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		line := request("1", wire.MethodPing, nil)
		line = line[:len(line)-1] + strings.Repeat(" ", wire.MaxMessage-1-len(line)) + "}"
		p.ctrl.say(t, line)
		if m := p.ctrl.answerTo(t, "1"); m.Error != nil {
			t.Error(m.Error)
		}
	})
}

func TestBadHeaders(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		for name, c := range map[string]struct {
			header string
			code   wire.StreamCode
		}{
			"too long":              {`{"lane":"control","x":"` + strings.Repeat("x", wire.MaxHeader) + `"}`, wire.StreamBadHeader},
			"not JSON":              {"GET / HTTP/1.1", wire.StreamBadHeader},
			"binary":                {"\x00\x01\x02\xff", wire.StreamBadHeader},
			"empty":                 {"", wire.StreamBadHeader},
			"a list":                {`["control"]`, wire.StreamBadHeader},
			"no lane":               {`{}`, wire.StreamBadHeader},
			"no agent":              {`{"lane":"agent"}`, wire.StreamBadHeader},
			"a negative tail":       {`{"lane":"agent","agent":"a1","tail":-1}`, wire.StreamBadHeader},
			"a negative cursor":     {`{"lane":"agent","agent":"a1","after":-1}`, wire.StreamBadHeader},
			"an unknown lane":       {`{"lane":"gossip"}`, wire.StreamBadLane},
			"the server's lane":     {`{"lane":"status"}`, wire.StreamBadLane},
			"a second control lane": {controlHeader, wire.StreamBadLane},
		} {
			t.Run(name, func(t *testing.T) {
				s := open(t, p, c.header)
				if code, err := s.reset(); code != int(c.code) {
					t.Errorf("reset with %d (%v), want %d", code, err, c.code)
				}
				s.SetWriteDeadline(time.Now().Add(patience))
				err := error(nil)
				for err == nil { // STOP_SENDING comes too
					_, err = s.Write(make([]byte, 1024))
				}
				if want := (&webtransport.StreamError{Code: uint32(c.code), Remote: true}); !errors.Is(err, want) {
					t.Errorf("writing gives %v, want %v", err, want)
				}
				p.ping(t)
			})
		}
		t.Run("a stream that ends before its header", func(t *testing.T) {
			s := open(t, p)
			s.Write([]byte(`{"lane":"con`))
			s.Close()
			if code, err := s.reset(); code != int(wire.StreamBadHeader) {
				t.Errorf("reset with %d (%v)", code, err)
			}
			p.ping(t)
		})
	})
}

func TestAgentLane(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		a := n.script(t, "say up\necho")
		b := n.script(t, "echo")
		p := n.join(t, tr)
		lane, at := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
		if at.Agent.ID != a.ID || at.Epoch != n.plane.Epoch() || !at.Recovered {
			t.Errorf("attached %+v", at)
		}
		for name, c := range map[string]struct {
			line, id string
			code     wire.ErrorCode
			field    string
		}{
			"garbage":          {"garbage", "null", wire.CodeParse, ""},
			"another method":   {request("1", wire.MethodStop, wire.StopParams{Scope: wire.ScopeAll}), "1", wire.CodeMethodNotFound, ""},
			"another agent":    {request("2", wire.MethodInput, wire.InputParams{ID: b.ID, Text: "x"}), "2", wire.CodeInvalidParams, "id"},
			"nothing":          {request("3", wire.MethodInput, wire.InputParams{}), "3", wire.CodeInvalidParams, "text"},
			"a wrong type":     {request("4", wire.MethodInput, map[string]any{"text": 5}), "4", wire.CodeInvalidParams, "text"},
			"too much at once": {request("5", wire.MethodInput, wire.InputParams{Text: strings.Repeat("x", wire.MaxInput+1)}), "5", wire.CodeTooLarge, "text"},
		} {
			t.Run(name, func(t *testing.T) {
				lane.say(t, c.line)
				isError(t, lane.answerTo(t, c.id), c.code, c.field)
			})
		}
		lane.say(t, request(`"in"`, wire.MethodInput, wire.InputParams{Text: "asked\n"}), request("", wire.MethodInput, wire.InputParams{Text: "told\n"}),
			request(`"eof"`, wire.MethodInput, wire.InputParams{EOF: true}))
		events, end := lane.events(t)
		if got := output(events); !strings.HasSuffix(got, "asked\ntold\n") || end.Agent.Reason != wire.ReasonCompleted || end.Cursor != events[len(events)-1].Seq {
			t.Errorf("output %q, end %+v", got, end)
		}
		if _, err := lane.next(); err == nil {
			t.Error("something comes after the end")
		}

		gone := open(t, p, `{"lane":"agent","agent":"anope"}`)
		m, err := gone.next()
		if err != nil || string(m.ID) != "null" {
			t.Fatalf("an unknown agent: %+v, %v", m, err)
		}
		isError(t, m, wire.CodeNotFound, "id")
		if _, err := gone.next(); err == nil {
			t.Error("something comes after the refusal")
		}

		over, _ := p.attach(t, wire.Header{Agent: b.ID, Follow: true})
		go over.Write([]byte(strings.Repeat("x", wire.MaxMessage+1)))
		if code, err := over.reset(); code < 0 {
			t.Errorf("an oversized line: %v", err)
		}
		p.ping(t)
		if got, _ := n.plane.Get(b.ID); got.Status != wire.StatusRunning {
			t.Errorf("the agent is %s", got.Status)
		}
	})
}

// TestEveryLaneEndsWhole reads many short lanes: the last lines of a lane must not be lost when it ends.
func TestEveryLaneEndsWhole(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		a := n.script(t, "repeat 300\nsay line ${i}\nend")
		p := n.join(t, tr)
		lane, _ := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
		all, _ := lane.events(t)
		for i := range kit.Less(20, 3) {
			for _, follow := range []bool{true, false} {
				lane, at := p.attach(t, wire.Header{Agent: a.ID, Follow: follow})
				if events, end := lane.events(t); len(events) != len(all) || end.Cursor != at.Last {
					t.Fatalf("lane %d, follow %t: %d events of %d, cursor %d of %d", i, follow, len(events), len(all), end.Cursor, at.Last)
				}
			}
		}
	})
}

func TestPipelinedInputsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	inputs := kit.Less(200, 100)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.inputPatience = patience }) // an agent on a busy machine must have time to read
		for _, how := range []string{"control lane", "agent lane"} {
			t.Run(how, func(t *testing.T) {
				a := n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"cat"}})
				p := n.join(t, tr)
				lane, _ := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
				to := p.ctrl
				if how == "agent lane" {
					to = lane
				}
				var lines []string
				var want strings.Builder
				for i := range inputs {
					text := strings.Repeat("=", i) + "\n"
					want.WriteString(text)
					id, _ := json.Marshal(i)
					lines = append(lines, request(string(id), wire.MethodInput, wire.InputParams{ID: a.ID, Text: text}))
				}
				wrote := make(chan error, 1)
				go func() {
					_, err := to.Write([]byte(strings.Join(lines, "\n") + "\n"))
					wrote <- err
				}()
				if to == p.ctrl {
					for seen := 0; seen < inputs; seen++ {
						m := to.until(t, (*wire.Message).IsResponse)
						if m.Error != nil {
							t.Fatalf("input %s: %v", m.ID, m.Error)
						}
					}
				}
				if err := <-wrote; err != nil {
					t.Fatal(err)
				}
				to.say(t, request(`"end"`, wire.MethodInput, wire.InputParams{ID: a.ID, EOF: true}))
				events, _ := lane.events(t)
				if got := output(events); got != want.String() {
					t.Errorf("%d bytes came back, want %d, or they are out of order", len(got), want.Len())
				}
			})
		}
	})
}

func TestAThousandStreamsAreAllowedAndMoreWait(t *testing.T) {
	t.Parallel()
	allowed := kit.Less(wire.MaxStreams, 120)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.maxStreams = int64(allowed) })
		a := n.script(t, "read")
		p := n.join(t, tr)
		streams := []*stream{p.ctrl}
		for len(streams) < allowed {
			s, _ := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
			streams = append(streams, s)
		}
		var err error
		for err == nil && len(streams) < 2*allowed {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			var str webtransport.Stream
			if str, err = p.OpenStream(ctx); err == nil {
				s := &stream{str, wire.NewReader(str)}
				s.say(t, `{"lane":"agent","agent":"`+string(a.ID)+`","follow":true}`)
				streams = append(streams, s)
			}
			cancel()
		}
		if !errors.Is(err, context.DeadlineExceeded) || len(streams) > allowed+64 {
			t.Errorf("%d streams are open; the next: %v", len(streams), err)
		}
		p.ping(t)
		n.join(t, other(tr)).ping(t)
		if len(streams) == allowed {
			streams[1].CancelRead(0)
			streams[1].CancelWrite(0)
		} else {
			for _, s := range streams[allowed-1:] {
				s.CancelRead(0)
				s.CancelWrite(0)
			}
		}
		p.attach(t, wire.Header{Agent: a.ID}) // there is room again, since one has ended
		// All lanes are served. They share the connection's credit, so they must all be read at the same time.
		var reading sync.WaitGroup
		var ended atomic.Int32
		for _, s := range streams[2 : allowed-1] {
			reading.Go(func() {
				for {
					m, err := s.next()
					if err != nil {
						return
					}
					if m.Method == wire.NoteEnd {
						ended.Add(1)
						return
					}
				}
			})
		}
		if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
			t.Fatal(err)
		}
		reading.Wait()
		if got := int(ended.Load()); got != allowed-3 {
			t.Errorf("%d of %d lanes were served to their end", got, allowed-3)
		}
	})
}

func TestThousandsOfStreamsInARow(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.maxStreams = kit.Less[int64](0, 400) })
		a := n.script(t, "say x\nread")
		p, beside := n.join(t, tr), n.join(t, other(tr))
		starts := []string{"", "{", `{"lane":"agent","agent":"` + string(a.ID) + `","follow":true}` + "\n", "{}\n", `{"lane":"gossip"}` + "\n"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		many := kit.Less(10_000, 1200) // more than may be open at once
		for i := range many {
			str, err := p.OpenStream(ctx)
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			str.Write([]byte(starts[i%len(starts)]))
			str.CancelWrite(uint32(i % 7))
			str.CancelRead(uint32(i % 7))
			if i%400 == 399 {
				beside.ping(t)
			}
		}
		p.ping(t)
		kit.Eventually(t, "no stream of all those is left", func() bool {
			return metric(t, n, "skein_streams") <= 2
		})
	})
}

// TestAClientThatNeverReadsAtScale does not run in parallel, because it measures memory.
func TestAClientThatNeverReadsAtScale(t *testing.T) {
	const allowed = 64 << 20
	lanes, begins, enough := kit.Less(50, 4), kit.Less[uint64](3000, 100), kit.Less[uint64](30_000, 500) // events
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.MaxEventBytes = 64 << 20 })
		a := n.script(t, "read\nflood 1000000000 "+strings.Repeat("flood ", 30))
		reading, beside := n.join(t, other(tr)), n.join(t, tr)
		p := n.join(t, tr, withStatus)
		for range lanes {
			p.attach(t, wire.Header{Agent: a.ID, Follow: true})
		}
		if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
			t.Fatal(err)
		}
		begin, _ := n.plane.Get(a.ID)
		flooded := func(events uint64) func() bool {
			return func() bool {
				got, _ := n.plane.Get(a.ID)
				return got.LastSeq-begin.LastSeq > events
			}
		}
		kit.Eventually(t, "the agent floods", flooded(begins))
		before := heap()
		kit.Eventually(t, "it floods on while nobody reads", flooded(enough))
		for _, q := range []*peer{reading, beside} {
			for range 20 {
				if took := q.ping(t); took > time.Second && !kit.Quick { // durations are checked in make soak only
					t.Errorf("another session waited %s", took)
				}
			}
			res := result[wire.ListResult](t, q.call(t, "1", wire.MethodList, wire.Filter{}))
			if res.Total != 1 {
				t.Errorf("%d agents", res.Total)
			}
		}
		if after := heap(); after > before+allowed {
			t.Errorf("the heap grew from %d to %d MiB", before>>20, after>>20)
		}
		if p.Context().Err() != nil {
			t.Errorf("the client was closed already: %v", context.Cause(p.Context()))
		}
		grace := int64(0)
		if _, err := n.plane.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}, GraceMS: &grace}); err != nil {
			t.Error(err)
		}
	})
}

// TestAClientThatReadsNothingIsClosed runs in a synctest bubble, over a carrier in memory.
func TestAClientThatReadsNothingIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Server, join func(...func(*wire.Hello)) *peer) {
		peers := map[string]*peer{"stalled": join(), "reading": join()}
		res, err := s.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Script: "repeat forever\nsay " + strings.Repeat("x", 30_000) + "\nwait 400ms\nend"})
		if err != nil {
			t.Fatal(err)
		}
		a := res.Agents[0]
		peers["stalled"].attach(t, wire.Header{Agent: a.ID, Follow: true})
		lane, _ := peers["reading"].attach(t, wire.Header{Agent: a.ID, Follow: true})
		var reading sync.WaitGroup
		reading.Go(func() {
			for err := error(nil); err == nil; {
				_, err = lane.next()
			}
		})
		begin := time.Now()
		<-peers["stalled"].Context().Done()
		var ce *webtransport.CloseError
		if err := context.Cause(peers["stalled"].Context()); !errors.As(err, &ce) || wire.CloseCode(ce.Code) != wire.CloseSlowConsumer || !ce.Remote {
			t.Errorf("it ended with %v", err)
		}
		if took := time.Since(begin); took < session.WriteTimeout || took > session.WriteTimeout+10*time.Second {
			t.Errorf("after %s", took)
		}
		peers["reading"].ping(t)
		peers["reading"].Close(0, "")
		reading.Wait()
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
