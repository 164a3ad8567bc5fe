package qmux

import (
	"context"
	"testing"
)

// rawPeer is the other side of a session, frame by frame: the one that breaks the rules.
type rawPeer struct {
	t    testing.TB
	conn Conn
	// unread frames of the record that was read last
	rest []byte
}

// against starts a server whose peer sends its parameters and then what the test says.
func against(t testing.TB, cfg Config) (*rawPeer, *Session) {
	p, s := silent(t, cfg)
	p.send(moqParams.frame())
	return p, s
}

// silent is against, without the parameters.
func silent(t testing.TB, cfg Config) (*rawPeer, *Session) {
	a, b := Pipe()
	s := Server(b, cfg)
	t.Cleanup(func() {
		a.Close()
		s.Close(0, "")
	})
	return &rawPeer{t: t, conn: a}, s
}

// send sends frames as one record.
func (p *rawPeer) send(frames ...*frame) {
	var b []byte
	for _, f := range frames {
		b = f.append(b)
	}
	p.sendBytes(b)
}

func (p *rawPeer) sendBytes(b []byte) {
	p.t.Helper()
	if err := p.conn.WriteMessage(context.Background(), b); err != nil {
		p.t.Fatal(err)
	}
}

// next gives the next frame of the session of one of the types; others are passed over.
func (p *rawPeer) next(types ...uint64) frame {
	p.t.Helper()
	for {
		for len(p.rest) == 0 {
			var err error
			if p.rest, err = p.conn.ReadMessage(within(p.t)); err != nil {
				p.t.Fatalf("waiting for a frame of type %#x: %v", types, err)
			}
			if len(p.rest) > MinRecord {
				p.t.Errorf("a record of %d bytes", len(p.rest))
			}
		}
		f, rest, err := parseFrame(p.rest)
		if err != nil {
			p.t.Fatal(err)
		}
		p.rest = rest
		for _, typ := range types {
			if f.typ == typ {
				return f
			}
		}
	}
}

func data(id, offset uint64, text string) *frame {
	return &frame{typ: 0x0e, id: id, value: offset, data: []byte(text)}
}

func fin(id, offset uint64, text string) *frame {
	return &frame{typ: 0x0f, id: id, value: offset, data: []byte(text)}
}
