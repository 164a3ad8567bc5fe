#!/usr/bin/env bash
# Firefox 153: a server that writes to a WebTransport stream, closes its side and at once gives up reading makes the page lose
# what was written.
#
# A server that knows its answer before the end of the request may do this. QUIC's STOP_SENDING is about one direction only
# (RFC 9000, section 3.5): it asks the client to send no more; what the server sent, and its FIN, stay good. In Firefox the
# readable side breaks, with "Error in input stream", though a read waits there, mostly before the first byte. When
# the server gives up reading 300 ms later, everything arrives. The client of webtransport-go reads everything from the same
# server in both cases.
#
# Needs: Go, firefox-esr. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
  rm -rf "$tmp" || { sleep 1; rm -rf "$tmp"; } # Firefox's last process may still be writing
}
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$tmp"

cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

const (
	streams = 20   // with each kind of server
	size    = 1000 // bytes that the server writes to each
	pause   = 300 * time.Millisecond
)

//go:embed page.js
var page string

// tally is what the page saw of the streams of one kind.
type tally struct {
	Whole   int
	Endings map[string]int
}

func main() {
	stop, cancelStop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancelStop()
	ctx, cancel := context.WithTimeout(stop, 5*time.Minute)
	defer cancel()
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/quic-go/webtransport-go" || dep.Path == "github.com/quic-go/quic-go" {
			fmt.Println("version: ", dep.Path, dep.Version)
		}
	}
	fmt.Printf("expected: the page reads all %d bytes of each stream, and its end (later: after %v)\n", size, pause)
	if err := run(ctx); err != nil {
		fmt.Println(err)
		cancel()
		os.Exit(1)
	}
	fmt.Println("as recorded: a server that stops reading at once makes Firefox drop what it wrote")
}

func run(ctx context.Context) error {
	url, hash := serve()
	firefox, err := start(ctx)
	if err != nil {
		return err
	}
	defer firefox.close()
	recorded := true
	for _, path := range []string{"at-once", "later"} {
		control := readWithGo(ctx, url+path)
		fmt.Printf("seen:     the server stops reading %s: webtransport-go's client: %d of %d streams whole\n", path, control, streams)
		seen, err := firefox.read(ctx, url+path, hash)
		if err != nil {
			return err
		}
		fmt.Printf("seen:     the server stops reading %s: Firefox: %d of %d streams whole\n", path, seen.Whole, streams)
		for how, n := range seen.Endings {
			fmt.Printf("seen:         %d streams: %s\n", n, how)
		}
		recorded = recorded && control == streams && (seen.Whole == streams) == (path == "later")
	}
	if !recorded {
		return errors.New("this is not what was recorded")
	}
	return nil
}

// readWithGo reads streams of a server with webtransport-go's client, and says how many arrived whole.
func readWithGo(ctx context.Context, url string) (whole int) {
	t := &webtransport.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}}
	_, session, err := t.Dial(ctx, url, nil)
	check(err)
	defer session.CloseWithError(0, "")
	for range streams {
		str, err := session.OpenStreamSync(ctx)
		check(err)
		_, err = str.Write(make([]byte, 1)) // its side stays open
		check(err)
		check(str.SetReadDeadline(time.Now().Add(5 * time.Second)))
		if got, err := io.ReadAll(str); err == nil && len(got) == size {
			whole++
		}
		str.CancelWrite(0)
	}
	return whole
}

// serve gives a WebTransport server on loopback and the hash of its certificate. It answers each stream while the client's side
// is open, closes its own, and says that it reads no further: at once, or after a pause.
func serve() (url, hash string) {
	cert := certificate()
	mux := http.NewServeMux()
	s := &webtransport.Server{CheckOrigin: func(*http.Request) bool { return true }, H3: &http3.Server{Handler: mux,
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}})}}
	webtransport.ConfigureHTTP3Server(s.H3)
	sessions := func(before time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			session, err := s.Upgrade(w, r)
			if err != nil {
				return
			}
			for {
				str, err := session.AcceptStream(context.Background())
				if err != nil {
					return
				}
				go answer(str, before)
			}
		}
	}
	mux.Handle("/at-once", sessions(0))
	mux.Handle("/later", sessions(pause))
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	go s.Serve(udp)
	return "https://" + udp.LocalAddr().String() + "/", fmt.Sprintf("%x", sha256.Sum256(cert.Certificate[0]))
}

func answer(str *webtransport.Stream, before time.Duration) {
	if _, err := str.Read(make([]byte, 1)); err != nil {
		return
	}
	if _, err := str.Write(make([]byte, size)); err != nil {
		return
	}
	str.Close()
	time.Sleep(before)
	str.CancelRead(0)
}

// certificate makes what serverCertificateHashes takes: ECDSA, and good for less than two weeks.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// firefox is a headless Firefox, spoken to by WebDriver BiDi.
type firefox struct {
	process *exec.Cmd
	conn    *websocket.Conn
	unwatch func() bool // no kill by the context any more
	tab     string
	last    int
}

// start starts one with a fresh profile, and opens a tab with an empty page of loopback.
func start(ctx context.Context) (*firefox, error) {
	blank, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(blank, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
	}))
	f := &firefox{process: exec.Command("firefox-esr", "--headless", "--no-remote", "--profile", "profile",
		"--remote-debugging-port", "0", "about:blank")}
	f.process.Env = append(os.Environ(), "HOME="+os.Getenv("PWD")+"/profile")
	f.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its own processes end with it
	stderr, err := f.process.StderrPipe()
	if err == nil {
		err = f.process.Start()
	}
	if err != nil {
		return nil, err
	}
	f.unwatch = context.AfterFunc(ctx, f.kill)
	url, err := listening(bufio.NewScanner(stderr))
	if err == nil {
		f.conn, _, err = websocket.Dial(ctx, url+"/session", nil)
	}
	if err == nil {
		f.conn.SetReadLimit(-1)
		err = f.open(ctx, "http://"+blank.Addr().String()+"/")
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// listening gives the URL that Firefox says it listens on.
func listening(lines *bufio.Scanner) (string, error) {
	for said := regexp.MustCompile(`BiDi listening on (ws:\S+)`); lines.Scan(); {
		if found := said.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() {
				}
			}()
			return found[1], nil
		}
	}
	return "", errors.New("Firefox ended")
}

func (f *firefox) open(ctx context.Context, url string) error {
	var session struct {
		Capabilities struct{ BrowserName, BrowserVersion string }
	}
	if err := f.command(ctx, "session.new", map[string]any{"capabilities": map[string]any{}}, &session); err != nil {
		return err
	}
	fmt.Println("version: ", session.Capabilities.BrowserName, session.Capabilities.BrowserVersion)
	var tab struct{ Context string }
	if err := f.command(ctx, "browsingContext.create", map[string]any{"type": "tab"}, &tab); err != nil {
		return err
	}
	f.tab = tab.Context
	return f.command(ctx, "browsingContext.navigate", map[string]any{"context": f.tab, "url": url, "wait": "complete"}, &struct{}{})
}

// read has the page read streams of a server.
func (f *firefox) read(ctx context.Context, url, hash string) (tally, error) {
	params := map[string]any{
		"functionDeclaration": page,
		"arguments":           []any{text(url), text(hash), number(streams), number(size)},
		"target":              map[string]any{"context": f.tab},
		"awaitPromise":        true,
	}
	var answer struct {
		Result           struct{ Value string }
		ExceptionDetails *struct{ Text string }
	}
	if err := f.command(ctx, "script.callFunction", params, &answer); err != nil {
		return tally{}, err
	}
	if answer.ExceptionDetails != nil {
		return tally{}, errors.New("in the page: " + answer.ExceptionDetails.Text)
	}
	var t tally
	return t, json.Unmarshal([]byte(answer.Result.Value), &t)
}

func text(s string) map[string]any { return map[string]any{"type": "string", "value": s} }
func number(n int) map[string]any  { return map[string]any{"type": "number", "value": n} }

// command sends a command and waits for its answer.
func (f *firefox) command(ctx context.Context, method string, params, result any) error {
	f.last++
	if err := wsjson.Write(ctx, f.conn, map[string]any{"id": f.last, "method": method, "params": params}); err != nil {
		return err
	}
	for {
		var answer struct {
			ID             int
			Type           string
			Error, Message string
			Result         json.RawMessage
		}
		if err := wsjson.Read(ctx, f.conn, &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != f.last:
		case answer.Type == "error":
			return fmt.Errorf("%s: %s: %s", method, answer.Error, strings.TrimSpace(answer.Message))
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

func (f *firefox) close() {
	if f.conn != nil {
		f.conn.CloseNow()
	}
	f.unwatch()
	f.kill()
	f.process.Wait()
}

func (f *firefox) kill() { syscall.Kill(-f.process.Process.Pid, syscall.SIGKILL) }

func check(err error) {
	if err != nil {
		panic(err) // what is deferred ends Firefox
	}
}
GO

cat >page.js <<'JS'
async (url, hash, streams, size) => {
  const value = Uint8Array.from(hash.match(/../g), (hex) => parseInt(hex, 16))
  const session = new WebTransport(url, { serverCertificateHashes: [{ algorithm: 'sha-256', value }] })
  await session.ready
  const one = async () => {
    const stream = await session.createBidirectionalStream()
    await stream.writable.getWriter().write(new Uint8Array(1)) // its side stays open
    const reader = stream.readable.getReader()
    let bytes = 0
    const end = (async () => {
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return 'ended'
        bytes += value.length
      }
    })()
    const late = new Promise((resolve) => setTimeout(resolve, 5000, 'no end after 5 s'))
    const ending = await Promise.race([end.catch((e) => `${e.name}: ${e.message}`), late])
    return { bytes, ending }
  }
  const seen = { whole: 0, endings: {} }
  for (let i = 0; i < streams; i++) {
    const { bytes, ending } = await one()
    if (bytes === size && ending === 'ended') seen.whole++
    const what = `${bytes} bytes, then: ${ending}`
    seen.endings[what] = (seen.endings[what] ?? 0) + 1
  }
  session.close()
  return JSON.stringify(seen)
}
JS

mkdir profile
cat >profile/user.js <<'JS'
user_pref('app.normandy.enabled', false);
user_pref('app.update.disabledForTesting', true);
user_pref('browser.safebrowsing.blockedURIs.enabled', false);
user_pref('browser.safebrowsing.downloads.enabled', false);
user_pref('browser.safebrowsing.malware.enabled', false);
user_pref('browser.safebrowsing.phishing.enabled', false);
user_pref('browser.search.update', false);
user_pref('browser.startup.page', 0);
user_pref('datareporting.healthreport.uploadEnabled', false);
user_pref('datareporting.policy.dataSubmissionEnabled', false);
user_pref('extensions.update.enabled', false);
user_pref('media.gmp-manager.updateEnabled', false);
user_pref('network.captive-portal-service.enabled', false);
user_pref('network.connectivity-service.enabled', false);
user_pref('services.settings.server', 'data:,');
user_pref('toolkit.telemetry.server', '');
JS

export GOWORK=off QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true
go mod init finding 2>/dev/null
go get github.com/quic-go/webtransport-go@v0.13.0 github.com/quic-go/quic-go@v0.64.1 github.com/coder/websocket@v1.8.15 \
  2>get.log || { cat get.log >&2; exit 1; }
go build -mod=mod -o finding .
./finding &
pid=$!
rc=0
wait "$pid" || rc=$?
pid=
exit "$rc"
