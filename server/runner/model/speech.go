package model

import (
	"strings"
	"sync"
	"time"
)

// Models say a word at a time. What is passed on is a bit more at a time, because each piece is kept for ever.
const (
	pieceTime = 50 * time.Millisecond
	pieceSize = 4 << 10 // bytes
)

// speech gathers what a model says.
type speech struct {
	send func(update any)

	mu    sync.Mutex
	kind  string // of update
	said  strings.Builder
	later *time.Timer
}

// say adds a text.
func (s *speech) say(kind, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind != s.kind {
		s.flushLocked()
	}
	if s.said.Len() == 0 {
		s.kind = kind
		s.later = time.AfterFunc(pieceTime, s.flush)
	}
	s.said.WriteString(text)
	if s.said.Len() >= pieceSize {
		s.flushLocked()
	}
}

// flush passes on what was said.
func (s *speech) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushLocked()
}

func (s *speech) flushLocked() {
	if s.said.Len() == 0 {
		return
	}
	s.later.Stop()
	text := s.said.String()
	s.said.Reset()
	s.send(map[string]any{"sessionUpdate": s.kind, "content": map[string]string{"type": "text", "text": text}})
}
