package memory

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// MemoryView is the page of all namespaces.
type MemoryView struct {
	frame.Frame
	Namespaces []wire.MemoryNamespace
	Search     *MemorySearchView // nil: nothing is looked for
	Form       EntryForm         // of a new entry
}

// SpaceView is the page of one namespace.
type SpaceView struct {
	frame.Frame
	Namespace wire.MemoryNamespace
	Entries   []wire.MemoryEntry // a page of them, with values
	Prefix    string
	After     string // the page begins behind this key
	Next      string // the After of the next page; "": there is none
	Total     int    // with the prefix
	Cursor    uint64 // what changed later follows
	LogEpoch  string // that revisions belong to
	Writers   map[string]string
	Search    *MemorySearchView
	Form      EntryForm
}

// EntryView is the page of one entry.
type EntryView struct {
	frame.Frame
	Entry    wire.MemoryEntry   // with its value; of one that is gone, the deletion, or only its names
	History  []wire.MemoryEntry // newest first
	Cursor   uint64
	LogEpoch string
	Writers  map[string]string // names of agents, by their ids
	Form     EntryForm
	Conflict *Conflict
	Deleting bool // it is asked whether it is to be deleted
}

// Gone reports whether there is no value now.
func (v EntryView) Gone() bool { return v.Entry.Deleted || v.Entry.Revision == 0 }

// Conflict is what two people made of one value.
type Conflict struct {
	Theirs wire.MemoryEntry // Revision 0: it was deleted
	Yours  EntryForm
}

// EntryForm is what a form about an entry holds.
type EntryForm struct {
	Open           bool
	New            bool // the entry must not be there
	Namespace, Key string
	Fixed          bool // the names can't be changed
	Value          string
	ContentType    string
	Expires        string // "never", "keep" or "after"
	TTL, Unit      string // a number, and "s", "m", "h" or "d"
	Revision       uint64 // that was edited
	Version        uint64 // whose value it is, to be restored; 0: none
	KeepUntil      *time.Time
	Field, Error   string // what is wrong, and where
}

// EntryFormOf edits an entry.
func EntryFormOf(e *wire.MemoryEntry, gone bool) EntryForm {
	f := EntryForm{Namespace: e.Namespace, Key: e.Key, Fixed: true, Expires: "never", Unit: "m", New: gone}
	if gone {
		return f
	}
	f.ContentType, f.Revision, f.KeepUntil = e.ContentType, e.Revision, e.ExpiresAt
	if b := e.Value.Bytes(); words.ValueKind(b) != "binary" {
		f.Value = string(b)
	}
	if e.ExpiresAt != nil {
		f.Expires = "keep"
	}
	return f
}

// Unstored is the form of what a request could not store.
func Unstored(p wire.MemoryRenderParams) EntryForm {
	f := EntryForm{Namespace: p.Namespace, Key: p.Key, Fixed: true, Value: string(p.Value.Bytes()), ContentType: p.ContentType, Expires: "never", Unit: "m", Revision: p.IfRevision}
	if p.TTLMS > 0 {
		f.Expires, f.TTL, f.Unit = "after", strconv.FormatFloat(float64(p.TTLMS)/1000, 'f', -1, 64), "s"
	}
	return f
}

// bytes reports whether the form restores bytes, which no field of a page can hold.
func (f EntryForm) bytes() bool { return f.Version > 0 && words.ValueKind([]byte(f.Value)) == "binary" }

func (f EntryForm) do() string {
	if f.bytes() {
		return "restore"
	}
	return "save"
}

var ttlUnits = []struct {
	Key, Word string
	Of        time.Duration
}{{"s", "seconds", time.Second}, {"m", "minutes", time.Minute}, {"h", "hours", time.Hour}, {"d", "days", 24 * time.Hour}}

// ParseEntryForm reads a form's fields. Browsers send lines that end in CRLF: values have LF.
func ParseEntryForm(q url.Values) EntryForm {
	f := EntryForm{Open: true, Namespace: strings.TrimSpace(q.Get("namespace")), Key: q.Get("key"), ContentType: strings.TrimSpace(q.Get("content_type")),
		Value: strings.ReplaceAll(q.Get("value"), "\r\n", "\n"), Expires: q.Get("expires"), TTL: strings.TrimSpace(q.Get("ttl")), Unit: cmp.Or(q.Get("unit"), "m")}
	f.Revision, _ = strconv.ParseUint(q.Get("revision"), 10, 64)
	if at, err := time.Parse(time.RFC3339Nano, q.Get("keep_until")); err == nil {
		f.KeepUntil = &at
	}
	return f
}

// Params are what the form asks for. A mistake is an error with the field.
func (f EntryForm) Params(now time.Time) (wire.MemoryStoreParams, error) {
	revision := f.Revision
	p := wire.MemoryStoreParams{Namespace: f.Namespace, Key: f.Key, Value: wire.NewMemoryValue([]byte(f.Value)), ContentType: f.ContentType, IfRevision: &revision}
	switch f.Expires {
	case "keep":
		if f.KeepUntil == nil {
			break
		}
		if p.TTLMS = f.KeepUntil.Sub(now).Milliseconds(); p.TTLMS <= 0 {
			return p, wire.Errorf(wire.CodeInvalidParams, "it would have expired by now: say anew when it expires").WithField("ttl")
		}
	case "after":
		n, err := strconv.ParseFloat(f.TTL, 64)
		if err != nil || !(n > 0) {
			return p, wire.Errorf(wire.CodeInvalidParams, "say after how long it expires: a number above 0").WithField("ttl")
		}
		for _, u := range ttlUnits {
			if u.Key == f.Unit {
				p.TTLMS = int64(min(n*float64(u.Of.Milliseconds()), 1e15))
			}
		}
		p.TTLMS = max(1, p.TTLMS)
	}
	return p, nil
}

// Refused is the form with what is wrong.
func (f EntryForm) Refused(err error) EntryForm {
	e := wire.AsError(err)
	f.Open, f.Error = true, words.Sentence(e.Message)
	if e.Data != nil {
		f.Field = e.Data.Field
	}
	return f
}

// MemorySearchView is a search and what it found.
type MemorySearchView struct {
	Query     string
	Namespace string // ""; in all
	Hits      []wire.MemoryHit
	Total     int
	Error     string
	Writers   map[string]string
}

// MaxHits is how many entries a search gives.
const MaxHits = 50

// MaxEntries is how many keys a page has at first.
const MaxEntries = 200

func (v MemoryView) page() frame.Page { return v.Frame.Page("Memory", "memory.js", "/memory", true) }

func (v SpaceView) page() frame.Page {
	return v.Frame.Page(v.Namespace.Name+" · Memory", "space.js", "/memory", false)
}

func (v EntryView) page() frame.Page {
	return v.Frame.Page(words.Clean(v.Entry.Key)+" · "+v.Entry.Namespace, "entry.js", "/memory", false)
}

// url is a namespace's page with other filters.
func (v SpaceView) url(q url.Values) string {
	for k := range q {
		if q.Get(k) == "" {
			q.Del(k)
		}
	}
	if len(q) == 0 {
		return words.SpaceURL(v.Namespace.Name)
	}
	return words.SpaceURL(v.Namespace.Name) + "?" + q.Encode()
}

func memorySummary(all []wire.MemoryNamespace) string {
	keys, bytes := 0, int64(0)
	for _, ns := range all {
		keys += ns.Keys
		bytes += ns.Bytes
	}
	if len(all) == 0 {
		return ""
	}
	return words.Count(len(all), "namespace", "namespaces") + ", " + words.Count(keys, "key", "keys") + ", " + words.Bytes(bytes)
}

// share is a part of a limit, for a bar.
func share(n, limit int64) string {
	if limit <= 0 {
		return "0"
	}
	return strconv.FormatFloat(min(1, float64(n)/float64(limit)), 'f', 4, 64)
}

func hitsText(s *MemorySearchView) string {
	switch {
	case s.Error != "":
		return ""
	case s.Total > len(s.Hits):
		return "The " + strconv.Itoa(len(s.Hits)) + " best of " + strconv.Itoa(s.Total) + " entries"
	}
	return words.Count(s.Total, "entry", "entries")
}

// VersionWord says what a change was.
func VersionWord(e *wire.MemoryEntry) string {
	switch {
	case e.Deleted && e.ExpiresAt != nil && e.Writer == "server":
		return "Expired"
	case e.Deleted:
		return "Deleted"
	case e.Previous == 0:
		return "Created"
	}
	return "Changed"
}

// goneText says what became of an entry.
func goneText(e *wire.MemoryEntry, names map[string]string) string {
	switch {
	case e.Revision == 0:
		return "There is no such entry."
	case VersionWord(e) == "Expired":
		return "It expired. Its value is kept for a day and can be restored."
	}
	return "It was deleted by " + words.WriterWord(e.Writer, names) + ". Its value is kept for a day and can be restored."
}

// changes compares a version with the one before it.
func changes(history []wire.MemoryEntry, i int) []words.DiffLine {
	if history[i].Deleted {
		return nil
	}
	after := history[i].Value.Bytes()
	var before []byte
	if i+1 < len(history) && !history[i+1].Deleted {
		before = history[i+1].Value.Bytes()
	}
	return Changes(before, after)
}

// Changes compares two values as they are shown.
func Changes(before, after []byte) []words.DiffLine {
	if words.ValueKind(before) == "binary" || words.ValueKind(after) == "binary" {
		return []words.DiffLine{{Op: "…", Text: "the bytes differ"}}
	}
	return words.Shorten(words.Diff(words.ShownValue(before), words.ShownValue(after)))
}

func query(name, value string) string { return url.Values{name: {value}}.Encode() }

func (v SpaceView) nextURL() string {
	return v.url(url.Values{"prefix": {v.Prefix}, "after": {v.Next}})
}
