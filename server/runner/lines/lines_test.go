package lines

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

func TestAnAnswerThatIsTooLong(t *testing.T) {
	for n, want := range map[int]string{wire.MaxResult - 2: `"result":"xxx`, maxAnswer: "ask for less"} {
		line := answerLine([]byte("1"), strings.Repeat("x", n), nil)
		if len(line) > maxAnswer || !bytes.Contains(line, []byte(want)) || !bytes.HasSuffix(line, []byte("\n")) {
			t.Errorf("%d bytes are answered with %.200s", n, line)
		}
	}
	many := &wire.SubmitResult{Tasks: make([]wire.Task, wire.MaxBatch)}
	for i := range many.Tasks {
		many.Tasks[i].ID, many.Tasks[i].Input = wire.TaskID(noun.NewID("t")), wire.Payload{Text: strings.Repeat("x", 1000)}
	}
	line := answerLine([]byte("1"), many, nil)
	if len(line) > maxAnswer || bytes.Count(line, []byte(`"trimmed":true`)) != wire.MaxBatch || !bytes.Contains(line, []byte(many.Tasks[999].ID)) {
		t.Errorf("a submission is answered with %d bytes: %.200s", len(line), line)
	}
}

// FuzzHear checks, for output in arbitrary pieces, that lines without the marker pass unchanged, that lines with it do not,
// and that at most one message is held.
func FuzzHear(f *testing.F) {
	for _, seed := range []struct {
		out    string
		pieces []byte
	}{
		{"plain\noutput\n", []byte{3}},
		{`{"jsonrpc":"2.0","method":"heartbeat"}` + "\n", []byte{1}},
		{"out " + `{"jsonrpc":"2.0","method":"log"}` + "\nnext\n", []byte{4, 1, 30}},
		{`{"jso` + "\n{\n" + `{"jsonrpd":1}` + "\n", []byte{2, 3}},
		{`{"jsonrpc":"2.0","method":"task.result","params":{"task":"t222222222222","output":"x"}}` + "\nno newline", []byte{11, 200}},
		{`{"jsonrpc":"2.0","id":1,"method":"memory.retrieve","params":{"namespace":"a","key":"b"}}` + "\r\n\r\n", []byte{255}},
		{`{"jsonrpc": broken` + "\n" + `{"jsonrpc":"2.0","result":1,"id":1}` + "\n", nil},
		{`{"jsonrpc":"2.0","method":"task.result","params":{"task":"t222222222222","output":"` + strings.Repeat("long ", 20) + "\nafter\n", []byte{200, 10}},
		{"\x00\xff{\"jsonrpc\"\n{\"jsonrpc\"", []byte{1, 2, 3}},
		{`{"jsonrpc":"2.0","method":"task.progress","params":{"task":"t2","fraction":1e999}}` + "\n", []byte{50}},
	} {
		f.Add([]byte(seed.out), seed.pieces)
	}
	f.Fuzz(func(t *testing.T, out, pieces []byte) {
		var got []byte
		s := newSpeaker(func(e runner.Event) error {
			switch e := e.(type) {
			case runner.Output:
				got = append(got, e.Bytes...)
			case runner.Call:
				e.Reply(nil, nil)
			}
			return nil
		}, &session{at: map[wire.TaskID]struct{}{}})
		s.stop() // no answer can be delivered
		s.most = 100
		for i, rest := 0, out; len(rest) > 0; i++ {
			n := len(rest)
			if len(pieces) > 0 {
				n = min(n, 1+int(pieces[i%len(pieces)]))
			}
			s.hear(rest[:n])
			rest = rest[n:]
			if len(s.held) > s.most {
				t.Fatalf("%d bytes are held", len(s.held))
			}
		}
		if len(s.held) < len(marker) { // it may still be the marker
			got = append(got, s.held...)
		}
		var want []byte
		for line := range bytes.Lines(out) {
			if !bytes.HasPrefix(line, marker) {
				want = append(want, line...)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("the output is %.200q, want %.200q", got, want)
		}
	})
}

// mute is a kind whose agents print, and have no standard input.
type mute struct{ runner.Kind }

func (mute) Capabilities() runner.Capabilities { return runner.Capabilities{} }

func (mute) Start(_ context.Context, _ runner.Launch, sink runner.Sink) (runner.Session, error) {
	sink(runner.Output{Stream: wire.EventStdout, Bytes: []byte(`{"jsonrpc":"2.0","id":1,"method":"heartbeat"}` + "\n")})
	return mutes{}, nil
}

type mutes struct{ runner.Session }

func (mutes) Stop(context.Context, time.Duration) (bool, []wire.Leftover) { return false, nil }

// Requests that wait for an answer end when the agent is gone: a goroutine that stays is an error of the bubble.
func TestAnAgentWithoutStandardInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := Over(mute{}).Start(t.Context(), runner.Launch{}, func(runner.Event) error { return nil })
		if wire.AsError(err).Code != wire.CodeSpawnFailed {
			t.Error(err)
		}
	})
}
