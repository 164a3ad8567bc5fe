package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/creack/pty"
	"github.com/spf13/cobra"
)

// Echo is the program in a terminal that says that it is ready, and then sends back each key as it comes.
var Echo = []string{"sh", "-c", "stty raw -echo; printf Ω; exec cat"}

// ready is what it says. It is none of the keys.
const ready = 'Ω'

// keys are what is typed, one after the other: letters that no control sequence has.
var keys = []rune("αβγδεζηθικλμνξοπρστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюя")

// keyEvery is the time between two keys.
const keyEvery = 120 * time.Millisecond

// Typist types keys at their times, whatever has come back, and takes the time of each until it is shown.
type Typist struct {
	begun chan struct{} // closed when the program is ready

	mu   sync.Mutex
	seen bool               // that it is
	at   map[rune]time.Time // of keys that were not shown yet
	rest []byte             // the beginning of a character
	ages []time.Duration
}

// NewTypist returns who types next.
func NewTypist() *Typist { return &Typist{begun: make(chan struct{})} }

// Shown takes bytes that are shown.
func (t *Typist) Shown(b []byte) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	b = append(t.rest, b...)
	for len(b) > 0 && utf8.FullRune(b) {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		if r == ready && !t.seen {
			t.seen = true
			close(t.begun)
		}
		if at, ok := t.at[r]; ok {
			t.ages = append(t.ages, now.Sub(at))
			delete(t.at, r)
		}
	}
	t.rest = bytes.Clone(b)
}

// Type waits until the program is ready, types n keys, and waits for the last ones. The first 70 do not count.
func (t *Typist) Type(ctx context.Context, n int, send func(string) error) ([]time.Duration, error) {
	select {
	case <-t.begun:
	case <-time.After(time.Minute):
		return nil, errors.New("the program in the terminal did not begin")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t.mu.Lock()
	t.at = map[rune]time.Time{}
	t.mu.Unlock()
	const warm = 70 // eight seconds, as in the other cases over a link: until the loss is known
	tick := time.NewTicker(keyEvery)
	defer tick.Stop()
	for i := range n + warm {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		key := keys[i%len(keys)]
		t.mu.Lock()
		if at, ok := t.at[key]; ok {
			t.mu.Unlock()
			return nil, fmt.Errorf("the key %c was not shown for %s", key, time.Since(at))
		}
		if i == warm {
			t.ages = nil
		}
		t.at[key] = time.Now()
		t.mu.Unlock()
		if err := send(string(key)); err != nil {
			return nil, err
		}
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		t.mu.Lock()
		left := len(t.at)
		t.mu.Unlock()
		if left == 0 {
			return t.ages, nil
		}
	}
	return nil, fmt.Errorf("%d keys were never shown", len(t.at))
}

func typeCommand() *cobra.Command {
	var name, addr string
	var count int
	c := &cobra.Command{
		Use: "type", Short: "Type in a terminal; print how long each key took to be shown, as JSON",
		Long: `Type in a terminal; print how long each key took to be shown, as JSON. The kinds are ttyd, at its address, and command, where the
rest of the command line is a program that shows the terminal, such as ssh or mosh-client.`,
		Hidden: true,
	}
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		var ages []time.Duration
		switch name {
		case "ttyd":
			ages, err = typeTTYD(cmd.Context(), addr, count)
		case "command":
			ages, err = typeCommandLine(cmd.Context(), args, count)
		default:
			return fmt.Errorf("--kind %q: allowed are ttyd, command", name)
		}
		if err != nil {
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(ages)
	}
	c.Flags().StringVar(&name, "kind", "", "ttyd, command")
	c.Flags().StringVar(&addr, "addr", "", "of ttyd")
	c.Flags().IntVar(&count, "count", 400, "how many keys")
	return c
}

// typeTTYD is the page of ttyd: a WebSocket, on which a message of the client begins with '0' for input, and one of the server with
// '0' for output.
func typeTTYD(ctx context.Context, addr string, n int) ([]time.Duration, error) {
	d := net.Dialer{}
	hc := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	c, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{HTTPClient: hc, Subprotocols: []string{"tty"}})
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageBinary, []byte(`{"AuthToken":"","columns":80,"rows":24}`)); err != nil {
		return nil, err
	}
	t := NewTypist()
	go func() {
		for {
			_, b, err := c.Read(ctx)
			if err != nil {
				return
			}
			if len(b) > 0 && b[0] == '0' {
				t.Shown(b[1:])
			}
		}
	}()
	return t.Type(ctx, n, func(key string) error { return c.Write(ctx, websocket.MessageBinary, []byte("0"+key)) })
}

// typeCommandLine runs a program in a terminal.
func typeCommandLine(ctx context.Context, argv []string, n int) ([]time.Duration, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		return nil, err
	}
	defer func() {
		f.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}()
	t := NewTypist()
	var said strings.Builder
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := f.Read(buf)
			if n > 0 {
				t.Shown(buf[:n])
				if said.Len() < 2000 {
					said.Write(buf[:n])
				}
			}
			if err != nil {
				return
			}
		}
	}()
	ages, err := t.Type(ctx, n, func(key string) error { _, err := io.WriteString(f, key); return err })
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it says %q", argv[0], err, said.String())
	}
	return ages, nil
}

// serveTTYCommand is a terminal on a WebSocket, as ttyd serves it, for machines whose distribution has none.
func serveTTYCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "serve-tty", Short: "Serve a terminal on a WebSocket, as ttyd does", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			cmd.Printf("serving %s\n", l.Addr())
			s := &http.Server{Handler: http.HandlerFunc(serveTTY)}
			go func() { <-cmd.Context().Done(); s.Close() }()
			if err := s.Serve(l); cmd.Context().Err() == nil {
				return err
			}
			return nil
		},
	}
	c.Flags().StringVar(&listen, "listen", "localhost:0", "address to listen on; it is printed")
	return c
}

func serveTTY(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"tty"}})
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx := r.Context()
	if _, _, err := c.Read(ctx); err != nil { // the size
		return
	}
	cmd := exec.CommandContext(ctx, Echo[0], Echo[1:]...)
	f, err := pty.Start(cmd)
	if err != nil {
		return
	}
	defer func() { f.Close(); cmd.Process.Kill(); cmd.Wait() }()
	go func() {
		buf := make([]byte, 32<<10)
		for buf[0] = '0'; ; {
			n, err := f.Read(buf[1:])
			if err != nil || c.Write(ctx, websocket.MessageBinary, buf[:1+n]) != nil {
				return
			}
		}
	}()
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		if len(b) > 0 && b[0] == '0' {
			f.Write(b[1:])
		}
	}
}
