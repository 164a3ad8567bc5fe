package push

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// browser is a browser's side of RFC 8291, by code of its own.
type browser struct {
	endpoint string
	key      *ecdh.PrivateKey
	auth     []byte
}

func newBrowser(t testing.TB, endpoint string) *browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{endpoint, key, []byte(rand.Text()[:16])}
}

// offer is what the browser's PushSubscription.toJSON returns.
func (b *browser) offer() []byte {
	j, _ := json.Marshal(map[string]any{"endpoint": b.endpoint, "expirationTime": nil, "keys": map[string]string{
		"p256dh": base64.RawURLEncoding.EncodeToString(b.key.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString(b.auth)}})
	return j
}

// expand is HKDF with SHA-256 (RFC 5869), of up to 32 bytes.
func expand(salt, ikm []byte, info string, n int) []byte {
	mac := func(key, b []byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(b)
		return m.Sum(nil)
	}
	return mac(mac(salt, ikm), append([]byte(info), 1))[:n]
}

// open decrypts the body of a message, with its padding.
func (b *browser) open(body []byte) (plain []byte, err error) {
	if len(body) < 21 || len(body) < 21+int(body[20]) {
		return nil, errors.New("the header is cut")
	}
	salt, size, sender, record := body[:16], binary.BigEndian.Uint32(body[16:]), body[21:21+int(body[20])], body[21+int(body[20]):]
	if int(size) < len(record) || len(body) > 4096 {
		return nil, fmt.Errorf("a body of %d bytes, records of %d", len(body), size)
	}
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	shared, err := b.key.ECDH(public)
	if err != nil {
		return nil, err
	}
	ikm := expand(b.auth, shared, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(sender), 32)
	block, err := aes.NewCipher(expand(salt, ikm, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		return nil, err
	}
	gcm, _ := cipher.NewGCM(block)
	plain, err = gcm.Open(nil, expand(salt, ikm, "Content-Encoding: nonce\x00", 12), record, nil)
	if err != nil {
		return nil, err
	}
	trimmed := bytes.TrimRight(plain, "\x00")
	if len(trimmed) == 0 || trimmed[len(trimmed)-1] != 2 {
		return nil, errors.New("the last record does not end with its delimiter")
	}
	return trimmed[:len(trimmed)-1], nil
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// claims checks the header Authorization (RFC 8292) against a server's key, and returns what it claims.
func claims(t testing.TB, header, key string) (c struct {
	Aud, Sub string
	Exp      int64
}) {
	t.Helper()
	rest, vapid := strings.CutPrefix(header, "vapid t=")
	token, k, two := strings.Cut(rest, ", k=")
	parts := strings.Split(token, ".")
	if !vapid || !two || k != key || len(parts) != 3 {
		t.Fatalf("Authorization: %s", header)
	}
	point := unbase64(t, k)
	public := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(point[1:33]), Y: new(big.Int).SetBytes(point[33:])}
	sum, signature := sha256.Sum256([]byte(parts[0]+"."+parts[1])), unbase64(t, parts[2])
	if len(signature) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Fatal("the token's signature is wrong")
	}
	if head := string(unbase64(t, parts[0])); head != `{"typ":"JWT","alg":"ES256"}` {
		t.Errorf("the token's head is %s", head)
	}
	if err := json.Unmarshal(unbase64(t, parts[1]), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// pipes is a listener in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Close() error {
	defer func() { recover() }() // it may be closed twice
	close(p)
	return nil
}

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	p <- b
	return a, nil
}

// pushService is one, at https://example.com, in memory.
type pushService struct {
	*httptest.Server
	listener pipes
	mu       sync.Mutex
	got      []*got
	// answer answers the n-th message, from 1; nil: 201.
	answer func(w http.ResponseWriter, n int)
}

// got is a message as it came.
type got struct {
	at     time.Time
	path   string
	header http.Header
	body   []byte
	proto  int
}

func newService(t testing.TB, answer func(w http.ResponseWriter, n int)) *pushService {
	s := &pushService{listener: make(pipes), answer: answer}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Listener.Close()
	s.Listener, s.EnableHTTP2 = s.listener, true
	s.StartTLS()
	return s
}

func (s *pushService) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.got = append(s.got, &got{time.Now(), r.URL.Path, r.Header, body, r.ProtoMajor})
	n := len(s.got)
	s.mu.Unlock()
	if s.answer == nil {
		w.WriteHeader(http.StatusCreated)
		return
	}
	s.answer(w, n)
}

func (s *pushService) all() []*got {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*got(nil), s.got...)
}

// world is a Push whose push service is in memory.
type world struct {
	*Push
	service *pushService
	mu      sync.Mutex
	asks    []wire.Ask
	out     map[string]bool // principals that are signed out
	o       Options
}

func newWorld(t testing.TB, answer func(w http.ResponseWriter, n int)) *world {
	t.Helper()
	w := &world{service: newService(t, answer), out: map[string]bool{}}
	roots := x509.NewCertPool()
	roots.AddCert(w.service.Certificate())
	w.o = Options{Dir: filepath.Join(t.TempDir(), "push"), Asks: w.waiting, SignedIn: w.signedIn, dial: w.service.listener.dial, roots: roots}
	w.open(t)
	return w
}

func (w *world) open(t testing.TB) {
	t.Helper()
	p, err := New(w.o)
	if err != nil {
		t.Fatal(err)
	}
	w.Push = p
}

func (w *world) end() {
	w.Close()
	w.service.Close()
}

func (w *world) waiting() []wire.Ask {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]wire.Ask(nil), w.asks...)
}

func (w *world) signedIn(_ context.Context, who string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.out[who], nil
}

func (w *world) signOut(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out[who] = true
}

func (w *world) ask(id, name, text string) {
	a := wire.Ask{ID: wire.AskID(id), Name: name, Text: text, State: wire.AskPending}
	w.mu.Lock()
	w.asks = append(w.asks, a)
	w.mu.Unlock()
	w.Asked(a)
}

func (w *world) answerAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asks = nil
}

func (w *world) subscribe(t testing.TB, path string) *browser {
	t.Helper()
	b := newBrowser(t, "https://example.com/"+path)
	if _, err := w.Subscribe(t.Context(), b.offer(), Browser{Who: "who-" + path, UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", Origin: "https://skein.example.com"}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) reads(t testing.TB, g *got) (m Message) {
	t.Helper()
	plain, err := b.open(g.body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(plain, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func status(code int) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) { w.WriteHeader(code) }
}

func TestAQuestionReachesTheBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		w.ask("q0", "early", "Before anybody subscribed")
		b := w.subscribe(t, "p/1")
		w.ask("q1", "reviewer", "Merge into main?\n"+strings.Repeat("é", 1000))
		synctest.Wait()
		all := w.service.all()
		if len(all) != 1 {
			t.Fatalf("%d messages", len(all))
		}
		g := all[0]
		m := b.reads(t, g)
		if m.Kind != KindAsk || m.ID != "q1" || m.Name != "reviewer" || !strings.HasPrefix(m.Text, "Merge into main? éé") || !strings.HasSuffix(m.Text, "é…") || m.Waiting != 2 ||
			len(m.All) != 2 {
			t.Errorf("it reads %+v", m)
		}
		if g.path != "/p/1" || g.proto != 2 || (len(g.body)-86-16)%padTo != 0 {
			t.Errorf("%s over HTTP/%d, %d bytes", g.path, g.proto, len(g.body))
		}
		for name, want := range map[string]string{"Ttl": "86400", "Urgency": "high", "Topic": "inbox", "Content-Encoding": "aes128gcm"} {
			if v := g.header.Get(name); v != want {
				t.Errorf("%s: %s", name, v)
			}
		}
		key, _ := w.PublicKey()
		c := claims(t, g.header.Get("Authorization"), key)
		if left := time.Unix(c.Exp, 0).Sub(g.at); c.Aud != "https://example.com" || c.Sub != "https://skein.example.com" || left <= 0 || left > 24*time.Hour {
			t.Errorf("it claims %+v", c)
		}
		if r := w.List(); len(r) != 1 || r[0].Sent == nil || r[0].Failed != nil || r[0].Browser != "Firefox on Linux" || r[0].Service != "example.com" {
			t.Errorf("the record is %+v", r)
		}
	})
}

func TestTheSubjectOfTheConfigurationComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		w.courier.subject = "mailto:ops@example.com"
		b := w.subscribe(t, "p/1")
		if _, err := w.Test(IDOf(b.endpoint)); err != nil {
			t.Fatal(err)
		}
		g := w.service.all()[0]
		key, _ := w.PublicKey()
		if c := claims(t, g.header.Get("Authorization"), key); c.Sub != "mailto:ops@example.com" {
			t.Errorf("it claims %+v", c)
		}
		w.Close()
		w.open(t)
		if r := w.List(); len(r) != 1 || r[0].Sent == nil {
			t.Errorf("after a restart at once: %+v", r)
		}
		if m := b.reads(t, g); m.Kind != KindTest || g.header.Get("TTL") != "60" {
			t.Errorf("the test is %+v, TTL %s", m, g.header.Get("TTL"))
		}
	})
}

func TestAnEndedSubscriptionIsRemoved(t *testing.T) {
	for _, code := range []int{http.StatusNotFound, http.StatusGone} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, status(code))
				defer w.end()
				b := w.subscribe(t, "p/1")
				w.ask("q1", "a", "?")
				synctest.Wait()
				if r := w.List(); len(r) != 0 {
					t.Errorf("it is still there: %+v", r)
				}
				w.Close()
				w.open(t)
				if r := w.List(); len(r) != 0 {
					t.Errorf("it is back after a restart: %+v", r)
				}
				_, err := w.Subscribe(t.Context(), b.offer(), Browser{})
				kit.Refused(t, err, wire.CodePrecondition, "endpoint")
				w.ask("q2", "a", "?")
				synctest.Wait()
				if n := len(w.service.all()); n != 1 {
					t.Errorf("%d messages", n)
				}
			})
		})
	}
}

func TestAFullPushServiceIsWaitedFor(t *testing.T) {
	for name, after := range map[string]func() string{
		"seconds": func() string { return "90" },
		"a date":  func() string { return time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(w http.ResponseWriter, n int) {
					if n == 1 {
						w.Header().Set("Retry-After", after())
						w.WriteHeader(http.StatusTooManyRequests)
						io.WriteString(w, "slow\x00 down")
						return
					}
					w.WriteHeader(http.StatusCreated)
				})
				defer w.end()
				b := w.subscribe(t, "p/1")
				w.ask("q1", "a", "?")
				synctest.Wait()
				if r := w.List()[0]; r.Failed == nil || r.Failure != "the push service answered 429 Too Many Requests: slow  down" {
					t.Errorf("the record is %+v", r)
				}
				w.ask("q2", "a", "another")
				time.Sleep(2 * time.Minute)
				all := w.service.all()
				if len(all) != 3 {
					t.Fatalf("%d messages", len(all))
				}
				if waited := all[1].at.Sub(all[0].at); waited < 89*time.Second || waited > 91*time.Second {
					t.Errorf("the second message came after %s", waited)
				}
				if first, second := b.reads(t, all[1]), b.reads(t, all[2]); first.ID != "q1" || second.ID != "q2" {
					t.Errorf("%s and %s were told", first.ID, second.ID)
				}
				if r := w.List()[0]; r.Failed != nil || r.Sent == nil {
					t.Errorf("the record is %+v", r)
				}
			})
		})
	}
}

func TestAMessageIsTriedSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, status(http.StatusServiceUnavailable))
		defer w.end()
		w.subscribe(t, "p/1")
		w.ask("q1", "a", "?")
		time.Sleep(24 * time.Hour)
		all := w.service.all()
		if len(all) != MaxAttempts {
			t.Fatalf("%d attempts", len(all))
		}
		if took := all[len(all)-1].at.Sub(all[0].at); took < 5*time.Minute || took > time.Hour {
			t.Errorf("they took %s", took)
		}
		w.ask("q2", "a", "?")
		synctest.Wait()
		if n := len(w.service.all()); n != MaxAttempts+1 {
			t.Errorf("the next question is not told")
		}
	})
}

func TestWhatIsRefusedIsNotTriedAgain(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, int){
		"a key that the push service does not know": status(http.StatusForbidden),
		"a redirect": func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "https://example.com/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, answer)
				defer w.end()
				w.subscribe(t, "p/1")
				w.ask("q1", "a", "?")
				time.Sleep(24 * time.Hour)
				if all := w.service.all(); len(all) != 1 {
					t.Errorf("%d messages, the last to %s", len(all), all[len(all)-1].path)
				}
				if r := w.List(); len(r) != 1 || r[0].Failure == "" {
					t.Errorf("the record is %+v", r)
				}
			})
		})
	}
}

func TestAnAnsweredQuestionIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, status(http.StatusServiceUnavailable))
		defer w.end()
		w.subscribe(t, "p/1")
		w.ask("q1", "a", "?")
		synctest.Wait()
		w.answerAll()
		time.Sleep(24 * time.Hour)
		if n := len(w.service.all()); n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestAMessageLivesNoLongerThanItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		w.subscribe(t, "p/1")
		expires := time.Now().Add(10 * time.Minute)
		a := wire.Ask{ID: "q1", Expires: &expires}
		w.asks = []wire.Ask{a}
		w.Asked(a)
		synctest.Wait()
		if ttl := w.service.all()[0].header.Get("TTL"); ttl != "600" {
			t.Errorf("TTL: %s", ttl)
		}
	})
}

func TestASilentPushServiceHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan bool)
		w := newWorld(t, nil)
		w.service.answer = func(rw http.ResponseWriter, n int) {
			if w.service.all()[n-1].path == "/silent" {
				<-release
			}
		}
		defer w.end()
		defer close(release)
		w.subscribe(t, "silent")
		w.subscribe(t, "p/2")
		for i := range 3 {
			w.ask("q"+strconv.Itoa(i), "a", "?")
		}
		synctest.Wait()
		told := 0
		for _, g := range w.service.all() {
			if g.path == "/p/2" {
				told++
			}
		}
		if told != 3 {
			t.Errorf("the other browser got %d messages", told)
		}
		time.Sleep(sendTimeout + time.Second)
		for _, r := range w.List() {
			if r.ID == IDOf("https://example.com/silent") && r.Failure != "the push service does not answer" {
				t.Errorf("its record is %+v", r)
			}
		}
	})
}

func TestABrowserThatIsAwayGetsTheLastQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w http.ResponseWriter, n int) {
			if n == 1 {
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		defer w.end()
		b := w.subscribe(t, "p/1")
		for i := range 3 * MaxWaiting {
			w.ask("q"+strconv.Itoa(i), "a", "?")
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		all := w.service.all()[1:]
		if len(all) != MaxWaiting {
			t.Fatalf("%d messages", len(all))
		}
		first, last := b.reads(t, all[0]), b.reads(t, all[len(all)-1])
		if first.ID != "q32" || last.ID != "q47" || last.Waiting != 48 || last.All != nil {
			t.Errorf("from %s to %+v", first.ID, last)
		}
	})
}

func TestALoginThatHasEndedIsToldThatOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		b := w.subscribe(t, "p/1")
		w.signOut("who-p/1")
		w.ask("q1", "a", "secret")
		w.ask("q2", "a", "secret")
		synctest.Wait()
		all := w.service.all()
		if len(all) != 1 {
			t.Fatalf("%d messages", len(all))
		}
		if m := b.reads(t, all[0]); !kit.SameJSON(t, m, Message{Kind: KindLogin}) {
			t.Errorf("it reads %+v", m)
		}
		if r := w.List(); len(r) != 0 {
			t.Errorf("it is still subscribed: %+v", r)
		}
	})
}

func TestWhoSignsOutIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		w.subscribe(t, "p/1")
		w.subscribe(t, "p/2")
		if err := w.SignedOut("who-p/1"); err != nil {
			t.Fatal(err)
		}
		w.ask("q1", "a", "?")
		synctest.Wait()
		if all := w.service.all(); len(all) != 1 || all[0].path != "/p/2" {
			t.Errorf("%d messages", len(all))
		}
	})
}

func TestSubscriptionsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		if _, err := os.Stat(w.o.Dir); err == nil {
			t.Error("there is a folder before anybody wants it")
		}
		key, _ := w.PublicKey()
		b := w.subscribe(t, "p/1")
		w.ask("q1", "a", "?")
		synctest.Wait()
		before := w.List()
		w.Close()
		for _, name := range []string{"key.pem", "subscriptions.json"} {
			if i, err := os.Stat(filepath.Join(w.o.Dir, name)); err != nil || i.Mode() != 0o600 {
				t.Errorf("%s: %v, %v", name, i, err)
			}
		}
		w.open(t)
		if again, err := w.PublicKey(); err != nil || again != key {
			t.Errorf("the key is %s, was %s, %v", again, key, err)
		}
		if !kit.SameJSON(t, w.List(), before) || before[0].Sent == nil {
			t.Errorf("%+v, was %+v", w.List(), before)
		}
		w.ask("q2", "a", "again")
		synctest.Wait()
		if all := w.service.all(); len(all) != 2 || b.reads(t, all[1]).Text != "again" {
			t.Errorf("%d messages", len(all))
		}
	})
}

func TestTheSameBrowserSubscribesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		b := w.subscribe(t, "p/1")
		time.Sleep(time.Hour)
		w.signOut("who-p/1")
		if _, err := w.Subscribe(t.Context(), b.offer(), Browser{Who: "anew"}); err != nil {
			t.Fatal(err)
		}
		if r := w.List(); len(r) != 1 || time.Since(r[0].Since) < time.Hour {
			t.Errorf("the record is %+v", r)
		}
		next := newBrowser(t, "https://example.com/p/2")
		offer := bytes.Replace(next.offer(), []byte("{"), []byte(`{"replaces":"`+b.endpoint+`",`), 1)
		if _, err := w.Subscribe(t.Context(), offer, Browser{Who: "anew"}); err != nil {
			t.Fatal(err)
		}
		w.ask("q1", "a", "?")
		synctest.Wait()
		if all := w.service.all(); len(all) != 1 || all[0].path != "/p/2" || next.reads(t, all[0]).ID != "q1" {
			t.Errorf("%d messages", len(all))
		}
	})
}

func TestThereIsRoomForSoManyBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		for i := range MaxSubscriptions {
			w.subscribe(t, strconv.Itoa(i))
		}
		one := newBrowser(t, "https://example.com/more")
		_, err := w.Subscribe(t.Context(), one.offer(), Browser{})
		kit.Refused(t, err, wire.CodePrecondition, "")
		w.signOut("who-7")
		if _, err := w.Subscribe(t.Context(), one.offer(), Browser{}); err != nil {
			t.Errorf("with one that has signed out: %v", err)
		}
		if n := len(w.List()); n != MaxSubscriptions {
			t.Errorf("%d subscriptions", n)
		}
	})
}

func TestASubscriptionThatCannotBeKeptIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.end()
		if err := os.WriteFile(w.o.Dir, nil, 0o600); err != nil { // a file where the folder would be
			t.Fatal(err)
		}
		if _, err := w.Subscribe(t.Context(), newBrowser(t, "https://example.com/p/1").offer(), Browser{}); err == nil {
			t.Error("it was taken")
		}
		w.ask("q1", "a", "?")
		synctest.Wait()
		if len(w.List()) != 0 || len(w.service.all()) != 0 {
			t.Error("it is used")
		}
	})
}

func TestADamagedFileIsLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "subscriptions.json")
	os.WriteFile(path, []byte("{"), 0o600)
	if _, err := New(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("subscriptions: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "{" {
		t.Errorf("the file has %q now", b)
	}
	os.Remove(path)
	os.WriteFile(filepath.Join(dir, "key.pem"), []byte("none"), 0o600)
	p, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.PublicKey(); err == nil || !strings.Contains(err.Error(), "key.pem") {
		t.Errorf("key: %v", err)
	}
}

func TestTurnedOff(t *testing.T) {
	var p *Push
	p.Asked(wire.Ask{})
	p.Close()
	if err := p.SignedOut("who"); err != nil || len(p.List()) != 0 {
		t.Error(err)
	}
	_, err := p.Subscribe(t.Context(), nil, Browser{})
	kit.Refused(t, err, wire.CodePrecondition, "")
	_, err = p.PublicKey()
	kit.Refused(t, err, wire.CodePrecondition, "")
}
