package vt

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Status is a report of the Program Status Protocol (OSC 7501, revision 0.2).
type Status struct {
	ID       string // a path of segments, for a program that does several things; "": the program itself
	State    string // idle, working, blocked, done, error, or clear, which takes this record and those below it away
	Kind     string // of blocked: permission, question, auth, or "" if it does not say
	Progress int    // of working and blocked: 0 to 100; -1: it does not say
	App      string
	Title    string
	Message  string
}

// Bounds of the protocol, in bytes.
const (
	maxReport  = 4096
	maxKey     = 16
	maxID      = 128
	maxDepth   = 8
	maxMessage = 2048
	maxHeading = 192
)

var (
	statusKey     = regexp.MustCompile(`^[a-z]+$`)
	statusValue   = regexp.MustCompile(`^[A-Za-z0-9_.,+/=-]*$`)
	statusSegment = regexp.MustCompile(`^[A-Za-z0-9_.+-]{1,32}$`)
	statusStates  = []string{"idle", "working", "blocked", "done", "error", "clear"}
	statusKinds   = []string{"permission", "question", "auth"}
)

// parseStatus parses a report. One that breaks a bound is dropped as a whole; a pair that is no pair is skipped.
func parseStatus(text string) (Status, bool) {
	st := Status{Progress: -1}
	if len(text) > maxReport-len("\x1b]7501;\x1b\\") {
		return st, false
	}
	for pair := range strings.SplitSeq(text, ":") {
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if len(key) > maxKey {
			return st, false
		}
		if !ok || !statusKey.MatchString(key) || !statusValue.MatchString(value) {
			continue
		}
		if !st.set(key, value) {
			return st, false
		}
	}
	if st.State != "blocked" {
		st.Kind = ""
		if st.State != "working" {
			st.Progress = -1
		}
	}
	return st, slices.Contains(statusStates, st.State)
}

// set takes a pair. It returns false if the report is to be dropped.
func (st *Status) set(key, value string) (ok bool) {
	ok = true
	switch key {
	case "state":
		st.State = value
	case "id":
		segments := strings.Split(value, "/")
		st.ID = value
		ok = len(value) <= maxID && len(segments) <= maxDepth && !slices.ContainsFunc(segments, func(s string) bool { return !statusSegment.MatchString(s) })
	case "kind":
		if slices.Contains(statusKinds, value) {
			st.Kind = value
		}
	case "progress":
		if n, err := strconv.Atoi(value); err == nil && n >= 0 && n <= 100 {
			st.Progress = n
		}
	case "app":
		if ok = len(value) <= 32; statusSegment.MatchString(value) {
			st.App = value
		}
	case "title":
		st.Title, ok = decodeStatus(value, maxHeading)
	case "msg":
		st.Message, ok = decodeStatus(value, maxMessage)
	}
	return ok
}

func decodeStatus(value string, limit int) (string, bool) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil || len(b) > limit || !utf8.Valid(b) || strings.ContainsFunc(string(b), unicode.IsControl) {
		return "", false
	}
	return oneLine(string(b), len(b)+1), true
}
