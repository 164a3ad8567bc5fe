package webtransport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	wt "github.com/quic-go/webtransport-go"
)

// settings reads the SETTINGS of a server from its control stream, as any client gets them.
func settings(t *testing.T, conn *quic.Conn) map[uint64]uint64 {
	t.Helper()
	for {
		str, err := conn.AcceptUniStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := quicvarint.NewReader(str)
		number := func() uint64 {
			n, err := quicvarint.Read(r)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if typ := number(); typ != 0 { // not the control stream (RFC 9114, section 6.2.1)
			continue
		}
		if typ := number(); typ != 0x4 {
			t.Fatalf("the control stream begins with frame %#x", typ)
		}
		frame := make([]byte, number())
		if _, err := io.ReadFull(r, frame); err != nil {
			t.Fatal(err)
		}
		all := map[uint64]uint64{}
		for r = quicvarint.NewReader(bytes.NewReader(frame)); ; {
			id, err := quicvarint.Read(r)
			if errors.Is(err, io.EOF) {
				return all
			}
			if err != nil {
				t.Fatal(err)
			}
			all[id] = number()
		}
	}
}

// Safari refuses a server that sends WT_MAX_SESSIONS and none of the three WT_INITIAL_MAX_*.
func TestSettings(t *testing.T) {
	pc, _, stop := serveQUIC(t, "127.0.0.1:0", testTLS(t), nil)
	defer stop()
	conn, err := quic.DialAddr(t.Context(), pc.LocalAddr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}, quicConfig(10, clientConnWindow))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(0, "")
	got := settings(t, conn)
	for id, name := range map[uint64]string{
		0x8:        "SETTINGS_ENABLE_CONNECT_PROTOCOL",
		0x33:       "SETTINGS_H3_DATAGRAM",
		0x2b603742: "SETTINGS_ENABLE_WEBTRANSPORT (draft 6)",
		0x2c7cf000: "SETTINGS_WT_ENABLED",
		0x14e9cd29: "SETTINGS_WT_MAX_SESSIONS",
		0x2b61:     "SETTINGS_WT_INITIAL_MAX_DATA",
		0x2b64:     "SETTINGS_WT_INITIAL_MAX_STREAMS_UNI",
		0x2b65:     "SETTINGS_WT_INITIAL_MAX_STREAMS_BIDI",
	} {
		if got[id] < 1 {
			t.Errorf("%s is %d", name, got[id])
		}
	}
}

// With flow control a client may ask for a second session on its connection. The first one owns it.
func TestOneSessionAConnection(t *testing.T) {
	pc, accepted, stop := serveQUIC(t, "127.0.0.1:0", testTLS(t), nil)
	defer stop()
	conn, err := quic.DialAddr(t.Context(), pc.LocalAddr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}, quicConfig(10, clientConnWindow))
	if err != nil {
		t.Fatal(err)
	}
	tr := &wt.Transport{Config: &wt.Config{MaxIncomingStreams: 10, MaxIncomingUniStreams: 10, MaxIncomingData: 1 << 20}}
	cc, err := tr.NewClientConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	url := "https://" + pc.LocalAddr().String() + "/"
	if _, _, err = cc.Dial(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	first := <-accepted
	res, _, err := cc.Dial(t.Context(), url, nil)
	if err == nil || res == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the second session: %v, %v", res, err)
	}
	if err := first.Context().Err(); err != nil {
		t.Errorf("the first: %v", context.Cause(first.Context()))
	}
	conn.CloseWithError(0, "")
	<-first.Context().Done()
}
