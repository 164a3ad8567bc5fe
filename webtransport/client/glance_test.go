package client_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// TestGlance looks at an agent until it ends, while the path is cut.
func TestGlance(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		l := behindRelays(t)
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		a := script(t, c, "repeat 3\nread\nsay got ${reply}\nend")
		var mu sync.Mutex
		shown := ""
		ended := make(chan error, 1)
		go func() {
			ended <- c.Glance(t.Context(), a.ID, client.GlanceOptions{Rows: 2}, func(p wire.Picture) error {
				var lines []string
				for _, row := range p.Rows {
					for _, piece := range row.Pieces {
						lines = append(lines, piece.Text)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				shown = strings.Join(lines, "|")
				return nil
			})
		}()
		for i := range 3 {
			if i == 1 {
				l.cut(c, tr)
			}
			if err := c.Input(t.Context(), wire.InputParams{ID: a.ID, Text: fmt.Sprintf("%d\n", i)}); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%d|got %d", i, i)
			kit.Eventually(t, "it shows "+want, func() bool { mu.Lock(); defer mu.Unlock(); return shown == want })
		}
		if err := kit.Receive(t, "the end", ended); err != nil || shown != "2|got 2" {
			t.Errorf("at the end it shows %q: %v", shown, err)
		}
	})
}

func TestAGlanceEnds(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	kit.Refused(t, c.Glance(t.Context(), "anope", client.GlanceOptions{}, nil), wire.CodeNotFound, "id")
	a := script(t, c, "say hello\nidle 1h")
	enough := errors.New("enough")
	if err := c.Glance(t.Context(), a.ID, client.GlanceOptions{}, func(wire.Picture) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the function's error became %v", err)
	}
}
