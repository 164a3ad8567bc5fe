package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
)

func TestMain(m *testing.M) {
	// centrifuge unsubscribes a second after the last subscriber has left, and does not wait for that at its end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/centrifugal/centrifuge/internal/dissolve.(*Dissolver).runWorker"))
}

// patience bounds every wait for something that must happen.
const patience = kit.Patience

// serving serves until the test ends.
func serving(t *testing.T, k kind) (addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- k.serve(ctx, "localhost:0", func(a net.Addr) { ready <- a.String() })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the server goes on")
		}
	})
	select {
	case addr = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return addr
}

// TestEachKindBringsAllMessagesAtScale counts against a clock, so that make soak runs it.
func TestEachKindBringsAllMessagesAtScale(t *testing.T) {
	if kit.Quick {
		t.Skip("it counts messages a second, which the race detector makes fewer")
	}
	t.Parallel()
	for _, name := range kindNames(hasMessages) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := kinds[name]
			const count = time.Second
			rep, err := follow(t.Context(), k, serving(t, k), 500*time.Millisecond, count)
			if err != nil {
				t.Fatal(err)
			}
			if rep.Gaps > 0 { // each sender's first message is number 0, and each other follows the one before
				t.Errorf("at %d messages some were lost or came twice", rep.Gaps)
			}
			if all := int(senders * count / interval); len(rep.Ages) < all*8/10 || len(rep.Ages) > all*12/10 {
				t.Errorf("%d messages came, of about %d", len(rep.Ages), all)
			}
			slices.Sort(rep.Ages)
			if least, most := rep.Ages[0], rep.Ages[len(rep.Ages)-1]; least <= 0 || most > time.Second {
				t.Errorf("they were %s to %s old", least, most)
			}
			t.Logf("%d messages, p50 %s, p99 %s", len(rep.Ages), rep.Ages[len(rep.Ages)/2], rep.Ages[len(rep.Ages)*99/100])
		})
	}
}

func TestBulkComesWhole(t *testing.T) {
	t.Parallel()
	for _, name := range kindNames(hasBulk) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := kinds[name]
			addr := serving(t, k)
			const size = 5<<20 + 1
			if r, err := receive(t.Context(), k, addr, size, 0, 0); err != nil || r.Bytes != size || r.Took <= 0 {
				t.Errorf("%+v, %v", r, err)
			}
			const count = 200 * time.Millisecond
			if r, err := receive(t.Context(), k, addr, forever, count, count); err != nil || r.Bytes == 0 || r.Took < count {
				t.Errorf("%+v, %v", r, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), count)
			defer cancel()
			if r, err := receive(ctx, k, addr, forever-1, 0, 0); err == nil {
				t.Errorf("given up it gives %+v", r)
			}
		})
	}
}

func TestRoundTripsBesideBulk(t *testing.T) {
	t.Parallel()
	for _, name := range kindNames(hasStreams) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const streams, count = 20, 500 * time.Millisecond
			k := kinds[name]
			r, err := beside(t.Context(), k, serving(t, k), streams, count, count)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range r.Took {
				if d <= 0 || d > patience {
					t.Errorf("a round trip took %s", d)
				}
			}
		})
	}
}

func TestATallySeesWhatIsLostOrRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		numbers []int
		gaps    int
	}{
		"all":               {[]int{0, 1, 2, 3}, 0},
		"the first is lost": {[]int{1, 2, 3}, 1},
		"one is lost":       {[]int{0, 1, 3, 4}, 1},
		"one comes twice":   {[]int{0, 1, 1, 2}, 1},
		"two change places": {[]int{0, 2, 1, 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var got tally
			for _, n := range c.numbers {
				got.take(message{From: 7, N: n})
			}
			if got.Gaps != c.gaps || len(got.Ages) > 0 {
				t.Errorf("%d gaps, %d ages before it counts", got.Gaps, len(got.Ages))
			}
		})
	}
}

func TestASenderThatWaitsSendsAllTheSame(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got tally
	got.begin()
	begin := time.Now()
	speak(ctx, 3, func(b []byte) error {
		if len(got.Ages) == 0 { // the network stands still for the first
			time.Sleep(5 * interval)
		}
		var m message
		err := json.Unmarshal(b, &m)
		if got.take(m); len(got.Ages) == 5 {
			cancel()
		}
		return err
	})
	if took := time.Since(begin); took > 8*interval {
		t.Errorf("the five took %s: those that waited do not follow at once", took)
	}
	if got.Gaps > 0 || got.Ages[0] < 5*interval || got.Ages[1] < 3*interval || got.Ages[1] > got.Ages[0] {
		t.Errorf("%d gaps, ages %s", got.Gaps, got.Ages)
	}
}

func TestHelpSaysWhoseHelperItIs(t *testing.T) {
	t.Parallel()
	for args, can := range map[string]func(kind) bool{"": isKind, "serve": isKind, "follow": hasMessages, "receive": hasBulk, "beside": hasStreams} {
		root := Command()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(append(strings.Fields(args), "--help"))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if args == "" && !strings.Contains(out.String(), "A helper of \"skein-bench run\"") {
			t.Errorf("%s", out.String())
		}
		for _, name := range kindNames(can) {
			if !strings.Contains(out.String(), name) {
				t.Errorf("%q do not tell of %s:\n%s", args, name, out.String())
			}
		}
	}
	for args, want := range map[string]string{"serve --kind pigeons": "http2", "follow --kind tcp": "http2", "receive --kind http2": "tcp", "beside --kind tcp": "webtransport-go"} {
		root := Command()
		root.SetArgs(strings.Fields(args))
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
