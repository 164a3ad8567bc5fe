package bare

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func TestReceiveSeesWhatIsLostOrRepeated(t *testing.T) {
	t.Parallel()
	const n = 3<<20 + 5
	var sent bytes.Buffer
	for s := (source{n: n}); s.at < s.n; {
		sent.Write(s.next())
	}
	all := sent.Bytes()
	for name, c := range map[string]struct {
		sent []byte
		want string
	}{
		"all":                 {all, ""},
		"a chunk is lost":     {append(bytes.Clone(all[:chunk]), all[2*chunk:]...), "other bytes"},
		"a block is lost":     {append(bytes.Clone(all[:1<<20]), all[2<<20:]...), "other bytes"},
		"a chunk comes twice": {append(bytes.Clone(all[:chunk]), all...), "other bytes"},
		"the end is lost":     {all[:n-1], "unexpected EOF"},
		"it goes on":          {append(bytes.Clone(all), 0), "goes on behind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			took := 0
			err := Receive(struct {
				io.Reader
				io.Writer
			}{bytes.NewReader(c.sent), io.Discard}, n, func(n int) { took += n })
			switch {
			case c.want == "" && (err != nil || took != n):
				t.Errorf("%d of %d bytes, %v", took, n, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(t *testing.T, str io.ReadWriter){
		"bulk": func(t *testing.T, str io.ReadWriter) {
			if err := Receive(str, 1<<20+17, nil); err != nil {
				t.Error(err)
			}
		},
		"echo": func(t *testing.T, str io.ReadWriter) {
			echo, err := Echo(str)
			for range 3 {
				if err == nil {
					err = echo([]byte("hello"))
				}
			}
			if err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := net.Pipe()
			ended := make(chan struct{})
			go func() { defer close(ended); Answer(there); there.Close() }()
			f(t, here)
			here.Close()
			<-ended
		})
	}
}
