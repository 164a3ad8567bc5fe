package client

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	cacheAge   = 24 * time.Hour // of tickets and endpoints; the server accepts early data with no older ticket
	maxTickets = 16             // tickets kept per server
	maxCached  = 64 << 10       // bytes per file
)

// cache keeps on the disk what makes the next connection to a server faster: its endpoints, and TLS session tickets, each
// of which is used once. Only the user can read its files (0600). Without a folder it keeps nothing. Files that can't be
// read or written are ignored.
type cache struct {
	dir  string        // of this server; "" if there is no cache
	news chan struct{} // receives a value when a ticket was stored

}

// newCache returns the cache of one server in the folder dir. A server is identified by its URL and the certificates that
// are trusted for it.
func newCache(dir string, o Options) *cache {
	c := &cache{news: make(chan struct{}, 1)}
	if dir == "" {
		return c
	}
	h := sha256.New()
	h.Write([]byte(strings.TrimRight(o.URL, "/")))
	for _, ch := range o.CertificateHashes {
		h.Write(append([]byte("\x00"+ch.Algorithm+"\x00"), ch.Value...))
	}
	c.dir = filepath.Join(dir, hex.EncodeToString(h.Sum(nil)[:10]))
	return c
}

// cachedEndpoints is what is kept of a /connect document. It has no tickets.
type cachedEndpoints struct {
	At        time.Time       `json:"at"`
	Version   string          `json:"version"`
	Policy    wire.Policy     `json:"policy"`
	RTTMS     float64         `json:"rtt_ms"` // minimum in a WebTransport session; 0: unknown
	Endpoints []wire.Endpoint `json:"doors"`
}

const endpointsFile = "doors.json"

// keepEndpoints stores the endpoints of a server.
func (c *cache) keepEndpoints(doc *wire.Connect, sess webtransport.Session) {
	if c.dir == "" {
		return
	}
	d := cachedEndpoints{At: time.Now(), Version: doc.Version, Policy: doc.Policy, RTTMS: float64(sess.Info().MinRTT.Microseconds()) / 1000}
	for _, endpoint := range doc.Endpoints {
		endpoint.Ticket = ""
		d.Endpoints = append(d.Endpoints, endpoint)
	}
	if b, err := json.Marshal(d); err == nil {
		c.write(endpointsFile, b)
	}
}

// endpoints returns what keepEndpoints stored and the minimum round-trip time, or nil if there is nothing or it is too old.
func (c *cache) endpoints() (*wire.Connect, time.Duration) {
	b, err := c.read(endpointsFile)
	var d cachedEndpoints
	if err != nil || json.Unmarshal(b, &d) != nil || time.Since(d.At) > cacheAge || d.Version != wire.Version {
		return nil, 0
	}
	return &wire.Connect{Version: d.Version, Policy: d.Policy, Endpoints: d.Endpoints}, time.Duration(d.RTTMS * float64(time.Millisecond))
}

// choiceAge is how long a network is assumed to block UDP.
const choiceAge = 10 * time.Minute

// cachedChoice records that a WebSocket was chosen because WebTransport did not answer.
type cachedChoice struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

const choiceFile = "choice.json"

// keepChoice stores why a WebSocket won the race. An empty reason removes what is stored.
func (c *cache) keepChoice(reason string) {
	if c.dir == "" {
		return
	}
	if reason == "" {
		os.Remove(filepath.Join(c.dir, choiceFile))
		return
	}
	if b, err := json.Marshal(cachedChoice{time.Now(), reason}); err == nil {
		c.write(choiceFile, b)
	}
}

// choice returns the reason that keepChoice stored, or "" if there is none or it is too old.
func (c *cache) choice() string {
	b, err := c.read(choiceFile)
	var k cachedChoice
	if err != nil || json.Unmarshal(b, &k) != nil {
		return ""
	}
	age := time.Since(k.At)
	if age < 0 || age > choiceAge {
		return ""
	}
	return k.Reason + ", remembered from " + age.Round(time.Second).String() + " ago"
}

// Get implements tls.ClientSessionCache. It takes the newest ticket, so that no other connection uses it.
func (c *cache) Get(key string) (*tls.ClientSessionState, bool) {
	for _, name := range c.tickets() {
		path := filepath.Join(c.dir, name)
		taken := path + ".taken-" + rand.Text()[:8]
		if os.Rename(path, taken) != nil {
			continue // another process took it
		}
		b, err := readFile(taken)
		os.Remove(taken)
		if err != nil {
			continue
		}
		if cs := parseTicket(b, key); cs != nil {
			return cs, true
		}
	}
	return nil, false
}

// Put implements tls.ClientSessionCache. It stores a ticket. A nil session, with which TLS drops a ticket, needs no
// action, because Get has removed it.
func (c *cache) Put(key string, cs *tls.ClientSessionState) {
	if cs == nil || c.dir == "" {
		return
	}
	b, err := formatTicket(key, cs)
	if err != nil {
		return
	}
	c.write(ticketName(time.Now()), b)
	if names := c.tickets(); len(names) > maxTickets {
		for _, old := range names[maxTickets:] {
			os.Remove(filepath.Join(c.dir, old))
		}
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
}

const ticketPrefix = "ticket-"

// ticketName returns a file name. Names sort by time.
func ticketName(now time.Time) string {
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], uint64(now.UnixNano()))
	return ticketPrefix + hex.EncodeToString(t[:]) + "-" + rand.Text()[:6]
}

// tickets returns the files of valid tickets, newest first, and deletes old ones.
func (c *cache) tickets() (names []string) {
	if c.dir == "" {
		return nil
	}
	all, err := os.ReadDir(c.dir)
	if err != nil {
		return nil
	}
	oldest := ticketName(time.Now().Add(-cacheAge))
	for i := len(all) - 1; i >= 0; i-- {
		name := all[i].Name()
		if !strings.HasPrefix(name, ticketPrefix) {
			continue
		}
		if name < oldest {
			os.Remove(filepath.Join(c.dir, name))
			continue
		}
		if !strings.Contains(name, ".") { // otherwise it is being written or was taken
			names = append(names, name)
		}
	}
	return names
}

// ticketFile is the content of a ticket's file.
type ticketFile struct {
	Key    string `json:"key"`
	Ticket string `json:"ticket"` // base64
	State  string `json:"state"`  // base64, of tls.SessionState
}

func formatTicket(key string, cs *tls.ClientSessionState) ([]byte, error) {
	ticket, state, err := cs.ResumptionState()
	if err != nil || state == nil {
		return nil, errors.Join(err, errors.New("no session to resume"))
	}
	b, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	return json.Marshal(ticketFile{key, base64.StdEncoding.EncodeToString(ticket), base64.StdEncoding.EncodeToString(b)})
}

// parseTicket decodes what formatTicket wrote. It returns nil if that is damaged or belongs to another name.
func parseTicket(b []byte, key string) *tls.ClientSessionState {
	var f ticketFile
	if json.Unmarshal(b, &f) != nil || f.Key != key {
		return nil
	}
	ticket, err1 := base64.StdEncoding.DecodeString(f.Ticket)
	raw, err2 := base64.StdEncoding.DecodeString(f.State)
	if errors.Join(err1, err2) != nil {
		return nil
	}
	state, err := tls.ParseSessionState(raw)
	if err != nil {
		return nil
	}
	cs, err := tls.NewResumptionState(ticket, state)
	if err != nil {
		return nil
	}
	return cs
}

func (c *cache) read(name string) ([]byte, error) {
	if c.dir == "" {
		return nil, os.ErrNotExist
	}
	return readFile(filepath.Join(c.dir, name))
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCached+1))
	if err == nil && len(b) > maxCached {
		err = errors.New("too long")
	}
	return b, err
}

// write replaces a file atomically.
func (c *cache) write(name string, b []byte) {
	if os.MkdirAll(c.dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(c.dir, name+".new-*") // 0600
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(c.dir, name))
	}
	if err != nil {
		os.Remove(f.Name())
	}
}
