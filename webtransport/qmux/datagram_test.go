package qmux

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestDatagrams(t *testing.T) {
	both(t, func(t *testing.T, a, b *Session) {
		must(0, a.SendDatagram([]byte("early")))(t) // perhaps before the parameters have come
		if got := must(b.ReceiveDatagram(within(t)))(t); string(got) != "early" {
			t.Errorf("%q", got)
		}
		open(t, a, b) // now they have
		if n := a.MaxDatagramSize(); n != 4096-3 {
			t.Errorf("MaxDatagramSize is %d", n)
		}
		for _, n := range []int{0, 1, 63, 64, a.MaxDatagramSize()} {
			data := random(n)
			must(0, a.SendDatagram(data))(t)
			if got := must(b.ReceiveDatagram(within(t)))(t); !bytes.Equal(got, data) {
				t.Errorf("%d bytes came as %d", n, len(got))
			}
		}
		if err := a.SendDatagram(make([]byte, a.MaxDatagramSize()+1)); !errors.Is(err, ErrDatagramTooLarge) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.ReceiveDatagram(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestNoDatagrams(t *testing.T) {
	a, b := Pipe()
	c := Client(a, Config{})
	must(0, c.SendDatagram([]byte("too early to know")))(t)
	_, s := closing(t, c, Server(b, Config{MaxDatagram: -1}))
	open(t, c, s)
	if err := c.SendDatagram(nil); !errors.Is(err, errNoDatagrams) {
		t.Error(err)
	}
	if n, st := c.MaxDatagramSize(), c.Stats(); n != 0 || st.DatagramsDropped != 1 {
		t.Errorf("MaxDatagramSize %d, %+v", n, st)
	}
}

// A datagram as large as a record travels alone.
func TestLargeDatagram(t *testing.T) {
	cfg := Config{MaxDatagram: MinRecord}
	c, s := pair(t, cfg, cfg)
	open(t, c, s)
	for range 3 {
		must(0, c.SendDatagram(random(c.MaxDatagramSize())))(t)
	}
	for range 3 {
		if got := must(s.ReceiveDatagram(within(t)))(t); len(got) != MinRecord-3 {
			t.Errorf("%d bytes", len(got))
		}
	}
}

// When a session cannot send, the latest datagrams are kept.
func TestDatagramsDropOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn := recorded(t)
		conn.hold()
		must(0, s.SendDatagram([]byte{0}))(t)
		synctest.Wait() // taken by the writer
		for i := 1; i <= 200; i++ {
			must(0, s.SendDatagram([]byte{byte(i)}))(t)
		}
		conn.release()
		synctest.Wait()
		var got []byte
		for _, f := range conn.frames(t) {
			if f.typ == typeDatagramLen {
				got = append(got, f.data...)
			}
		}
		if len(got) != 129 || got[0] != 0 || got[1] != 200-127 || got[128] != 200 {
			t.Errorf("%d datagrams went out: %v", len(got), got)
		}
		if n := s.Stats().DatagramsDropped; n != 200-128 {
			t.Errorf("%d were dropped", n)
		}
	})
}

// When nobody receives, the first are kept and the later ones dropped.
func TestDatagramsUnread(t *testing.T) {
	p, s := against(t, Config{DatagramQueue: 3})
	for i := range byte(10) {
		p.send(&frame{typ: typeDatagram, data: []byte{i}})
	}
	p.send(&frame{typ: typePing})
	p.next(typePong)
	for want := range byte(3) {
		if got := must(s.ReceiveDatagram(within(t)))(t); got[0] != want {
			t.Errorf("%d, want %d", got[0], want)
		}
	}
	if n := s.Stats().DatagramsDropped; n != 7 {
		t.Errorf("%d were dropped", n)
	}
}
