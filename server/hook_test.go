package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func TestTheAskHookRunsForAQuestion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := `ask_hook: [sh, -c, 'cat >"$1/new" && echo "$SKEIN_ASK_URL" >"$1/url" && mv "$1/new" "$1/ask"', sh, ` + dir + "]\n"
	n := start(t, func(o *Options) { o.ConfigFile = write(t, "skein.yaml", config) })
	a := n.script(t, "ask Merge?\nread")
	var b []byte
	kit.Eventually(t, "the command has run", func() (ran bool) {
		var err error
		b, err = os.ReadFile(filepath.Join(dir, "ask"))
		return err == nil
	})
	var ask wire.Ask
	if err := json.Unmarshal(b, &ask); err != nil || ask.Agent != a.ID || ask.Text != "Merge?" || ask.State != wire.AskPending {
		t.Errorf("it reads %s", b)
	}
	if url, _ := os.ReadFile(filepath.Join(dir, "url")); string(url) != n.addrs.HTTP+"/inbox#"+string(ask.ID)+"\n" {
		t.Errorf("the page is %q", url)
	}
}
