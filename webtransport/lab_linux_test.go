package webtransport

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/e2e/netlab"
)

// newLab makes a link, or skips.
func newLab(t *testing.T, c netlab.Conditions) *netlab.Lab {
	t.Helper()
	if err := netlab.Unavailable(); err != nil {
		t.Skipf("NOT TESTED: what a bad link does to a session: %v", err)
	}
	l, err := netlab.New(1, netlab.Both(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// overLab gives a session between the two ends of a link.
func overLab(t *testing.T, c netlab.Conditions) (l *netlab.Lab, client, server Session) {
	t.Helper()
	l = newLab(t, c)
	accepted := make(chan Session, 1)
	var srv *QUICServer
	srv = NewQUICServer(QUICConfig{TLS: testTLS(t), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, err := srv.Upgrade(w, r); err == nil {
			accepted <- s
		}
	})})
	var socket *net.UDPConn
	if err := l.Server.Do(func() (err error) {
		socket, err = net.ListenUDP("udp4", &net.UDPAddr{IP: l.Server.Addr.AsSlice(), Port: 4433})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(socket) }()
	t.Cleanup(func() { srv.Close(); <-served; socket.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Client.Do(func() (err error) {
		client, err = DialQUIC(ctx, fmt.Sprintf("https://%s:4433/", l.Server.Addr), QUICDialConfig{TLS: &tls.Config{InsecureSkipVerify: true}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(0, "") })
	return l, client, <-accepted
}

// counted is a number and what fills a packet with it.
const counted = 1000

// counting sends numbers on a stream of the server until stop, and checks at the client that each comes once, in order.
func counting(t *testing.T, client, server Session) (stop func()) {
	t.Helper()
	out, err := server.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended, read := make(chan struct{}), make(chan struct{})
	sent := make(chan uint64, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := uint64(0); ; n++ {
			select {
			case <-tick.C:
				out.Write(append(binary.BigEndian.AppendUint64(nil, n), make([]byte, counted-8)...))
			case <-ended:
				out.Close()
				sent <- n
				return
			}
		}
	}()
	go func() {
		defer close(read)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		in, err := client.AcceptStream(ctx)
		if err != nil {
			t.Errorf("no stream came: %v", err)
			return
		}
		b := make([]byte, counted)
		want := uint64(0)
		for ; ; want++ {
			if _, err := io.ReadFull(in, b); err == io.EOF {
				break
			} else if got := binary.BigEndian.Uint64(b); err != nil || got != want {
				t.Errorf("%d came where %d was due, %v", got, want, err)
				return
			}
		}
		if n := <-sent; n != want {
			t.Errorf("%d of %d came", want, n)
		}
	}()
	return func() { close(ended); <-read }
}

// skipUnderRace skips what depends on how fast the machine is: one that is busy makes queues of its own, and masking then rightly
// stays off. The tests of package mask decide without a clock.
func skipUnderRace(t *testing.T) {
	if kit.Quick {
		t.Skip("make soak runs it")
	}
}

func TestALossyConnectionIsMaskedAtScale(t *testing.T) {
	skipUnderRace(t)
	l, client, server := overLab(t, netlab.Conditions{Delay: 10 * time.Millisecond})
	stop := counting(t, client, server)
	time.Sleep(time.Second)
	if s := server.Info(); s.Mask.On || s.Mask.Repeated > 0 || s.Mask.Reason != "no loss was seen" {
		t.Errorf("on a clean link: %+v", s.Mask)
	}
	l.Change(func(c *netlab.Conditions) { c.Loss = 0.05 })
	kit.Eventually(t, "it is on", func() bool { return server.Info().Mask.On })
	before := server.Info()
	kit.Eventually(t, "packets were repeated", func() bool { return server.Info().Mask.Repeated > before.Mask.Repeated+200 })
	after := server.Info()
	if sent, repeated := after.PacketsSent-before.PacketsSent, after.Mask.Repeated-before.Mask.Repeated; repeated < sent/2 {
		t.Errorf("of %d packets %d were repeated", sent, repeated)
	}
	stop()
}

// A full link drops packets too: there copies would take what is others'.
func TestACongestedConnectionIsNotMaskedAtScale(t *testing.T) {
	skipUnderRace(t)
	l, client, server := overLab(t, netlab.Conditions{Delay: 10 * time.Millisecond, Rate: 8e6, Queue: 60_000})
	var ln net.Listener
	if err := l.Client.Do(func() (err error) {
		ln, err = net.Listen("tcp", fmt.Sprintf("%s:7", l.Client.Addr))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := l.Server.TCP("cubic"); err != nil {
		t.Fatal(err)
	}
	var flows [4]struct{ from, to net.Conn }
	for i := range flows {
		f := &flows[i]
		if err := l.Server.Do(func() (err error) {
			f.from, err = net.Dial("tcp", ln.Addr().String())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer f.from.Close()
		var err error
		if f.to, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		defer f.to.Close()
	}
	stop := counting(t, client, server)
	time.Sleep(500 * time.Millisecond) // the connection learns how long the way is
	for _, f := range flows {
		go func() {
			for b := make([]byte, 64<<10); ; {
				if _, err := f.from.Write(b); err != nil {
					return
				}
			}
		}()
		go io.Copy(io.Discard, f.to)
	}
	kit.Eventually(t, "the queue dropped packets of the connection", func() bool { return server.Info().PacketsLost > 0 })
	time.Sleep(5 * time.Second)
	s := server.Info()
	if drops := l.Counts(netlab.Down).Dropped; drops == 0 || s.Mask.Repeated > s.PacketsSent/20 {
		t.Errorf("%d packets were dropped; of %d of the connection %d were repeated: %+v", drops, s.PacketsSent, s.Mask.Repeated, s.Mask)
	}
	for _, f := range flows {
		f.to.Close()
	}
	stop()
}
