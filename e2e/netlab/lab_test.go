package netlab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// lab makes one, or skips.
func lab(t *testing.T, c Conditions) *Lab {
	t.Helper()
	if err := Unavailable(); err != nil {
		t.Skip(err)
	}
	l, err := New(1, Both(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// echo serves UDP and TCP on port 7 of the server's host.
func echo(t *testing.T, l *Lab) {
	t.Helper()
	err := l.Server.Do(func() error {
		pc, err := net.ListenPacket("udp", fmt.Sprintf("%s:7", l.Server.Addr))
		if err != nil {
			return err
		}
		ln, err := net.Listen("tcp", fmt.Sprintf("%s:7", l.Server.Addr))
		if err != nil {
			return err
		}
		t.Cleanup(func() { pc.Close(); ln.Close() })
		go func() {
			b := make([]byte, 2000)
			for {
				n, from, err := pc.ReadFrom(b)
				if err != nil {
					return
				}
				pc.WriteTo(append(b[:n], from.String()...), from)
			}
		}()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go io.Copy(c, c)
			}
		}()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, l *Lab, network string) (c net.Conn) {
	t.Helper()
	err := l.Client.Do(func() (err error) {
		c, err = net.DialTimeout(network, fmt.Sprintf("%s:7", l.Server.Addr), 5*time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a packet and gives the answer, which ends with the address that the server saw; "": none came.
func ask(t *testing.T, c net.Conn, wait time.Duration) string {
	t.Helper()
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(wait))
	b := make([]byte, 2000)
	n, _ := c.Read(b)
	return string(b[:n])
}

func TestALabHasADelayAndANAT(t *testing.T) {
	t.Parallel()
	l := lab(t, Conditions{Delay: 20 * time.Millisecond})
	echo(t, l)
	udp := dial(t, l, "udp")
	begin := time.Now()
	if got := ask(t, udp, 5*time.Second); !strings.HasPrefix(got, "?10.80.0.2:") {
		t.Errorf("it answered %q", got)
	}
	if took := time.Since(begin); took < 40*time.Millisecond {
		t.Errorf("there and back took %s", took)
	}
	seen := []string{ask(t, udp, 5*time.Second)}
	for i := range 3 {
		l.NAT(i == 2)
		seen = append(seen, ask(t, udp, 5*time.Second))
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(seen)))); n != 4 || !strings.HasPrefix(seen[3], "?10.80.1.2:") {
		t.Errorf("the server saw %q", seen)
	}
	tcp := dial(t, l, "tcp") // through the NAT
	l.Change(func(c *Conditions) { c.NoUDP = true })
	if got := ask(t, udp, 200*time.Millisecond); got != "" {
		t.Errorf("through a firewall came %q", got)
	}
	fmt.Fprintln(tcp, "still here")
	tcp.SetReadDeadline(time.Now().Add(5 * time.Second))
	if line, err := bufio.NewReader(tcp).ReadString('\n'); line != "still here\n" {
		t.Errorf("TCP: %q, %v", line, err)
	}
}

func TestALabMovesItsClient(t *testing.T) {
	t.Parallel()
	l := lab(t, Conditions{})
	echo(t, l)
	if got := ask(t, dial(t, l, "udp"), 5*time.Second); !strings.HasPrefix(got, "?10.80.0.2:") {
		t.Errorf("it answered %q", got)
	}
	if err := l.MoveClient(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, dial(t, l, "udp"), 5*time.Second); !strings.HasPrefix(got, "?10.80.0.3:") {
		t.Errorf("it answered %q", got)
	}
}

func TestALabHasARateAndRunsPrograms(t *testing.T) {
	t.Parallel()
	const size, rate = 1 << 20, 16_000_000
	l := lab(t, Conditions{Rate: rate, Queue: 64 << 10})
	echo(t, l)
	c := dial(t, l, "tcp")
	begin := time.Now()
	go c.Write(make([]byte, size))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.CopyN(io.Discard, c, size); err != nil {
		t.Fatal(err)
	}
	if took, least := time.Since(begin), time.Second*size*8/rate; took < least*9/10 {
		t.Errorf("a MiB took %s, and takes %s", took, least)
	}
	out, err := l.Client.Command(context.Background(), "ip", "-brief", "addr").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "10.80.0.2/16") {
		t.Errorf("%v: %s", err, out)
	}
	ns := l.Client.Namespace
	l.Close()
	if _, err := os.Stat("/run/netns/" + ns); err == nil {
		t.Error("its namespace is still there")
	}
	if err := exec.Command("ip", "netns", "exec", ns, "true").Run(); err == nil {
		t.Error("a program still runs in it")
	}
}
