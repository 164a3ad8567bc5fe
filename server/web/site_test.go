package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
)

// TestAClientThatLeavesIsNoErrorOfThePage renders pages that fail, with and without somebody who waits for them.
func TestAClientThatLeavesIsNoErrorOfThePage(t *testing.T) {
	t.Parallel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for name, c := range map[string]struct {
		ctx  context.Context
		logs bool
	}{"left": {gone, false}, "waits": {t.Context(), true}} {
		var log strings.Builder
		s := &site{Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Reach: &Reach{}}}
		broken := templ.ComponentFunc(func(context.Context, io.Writer) error { return errors.New("broken") })
		s.page(httptest.NewRecorder(), httptest.NewRequestWithContext(c.ctx, "GET", "/", nil), 200, broken)
		if got := strings.Contains(log.String(), "could not be rendered"); got != c.logs {
			t.Errorf("%s: the log has %q", name, log.String())
		}
		log.Reset()
		memoryPages{s}.refuseMemory(httptest.NewRecorder(), httptest.NewRequestWithContext(c.ctx, "GET", "/memory/n/k", nil), errors.New("broken"))
		if got := strings.Contains(log.String(), "a page of memory failed"); got != c.logs {
			t.Errorf("%s: the log of a page that can't be read has %q", name, log.String())
		}
	}
}
