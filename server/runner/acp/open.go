package acp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"skein.dev/skein/webtransport/wire"
)

// begin opens the ACP session.
func (s *session) begin() error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, startTimeout, fmt.Errorf("it has not answered for %s", startTimeout))
	defer cancel()
	var hello initializeResult
	err := s.conn.call(ctx, "initialize", initializeParams{ProtocolVersion: protocolVersion, ClientInfo: info{Name: "skein", Title: "Skein", Version: "1"}}, &hello)
	if err != nil {
		return fmt.Errorf("it can't be spoken to by ACP, version %d: initialize: %w", protocolVersion, err)
	}
	if v := string(hello.ProtocolVersion); v != fmt.Sprint(protocolVersion) {
		return fmt.Errorf("it speaks version %s of ACP, and Skein speaks version %d", wire.Cut(v, 20), protocolVersion)
	}
	if i := hello.AgentInfo; i != nil {
		s.log("ACP agent %s %s", cmp.Or(i.Title, i.Name), i.Version)
	}
	cancel()
	s.mu.Lock()
	s.can = hello.can()
	s.mu.Unlock()
	servers := mcpServers(nil, false)
	if s.launch.MCP != nil {
		servers = mcpServers(s.launch.MCP(s.ctx), hello.Capabilities.MCP.HTTP)
	}
	if err := s.openUnless(hello.AuthMethods, servers); err != nil {
		return err
	}
	return s.setUp()
}

// openUnless opens a session, unless the agent wants a login that nobody gives it.
func (s *session) openUnless(logins []authMethod, servers []mcpServer) error {
	for {
		err := s.openSession(servers)
		switch {
		case err == nil || errors.Is(err, errNoSession):
			return err
		case s.ctx.Err() != nil || len(logins) == 0:
			return fmt.Errorf("it opens no session: %w", err)
		}
		if err := s.login(logins, err); err != nil {
			return err
		}
	}
}

// openSession continues the session that the launch names, or opens a new one.
func (s *session) openSession(servers []mcpServer) error {
	params := openParams{SessionID: s.launch.Session, Cwd: s.launch.Cwd, MCPServers: servers}
	switch {
	case params.SessionID == "":
		return s.openBy("session/new", params)
	case s.launch.Fork:
		return s.fork(params)
	}
	err := s.goOn(params)
	if err == nil || !s.launch.Again && !s.launch.OrNew || s.ctx.Err() != nil || !errors.Is(err, errNoSession) {
		return err
	}
	s.log("it begins a new session: %s", err)
	params.SessionID = ""
	return s.openBy("session/new", params)
}

// errNoSession is the error of a session that can't be continued, whatever the agent's reason.
var errNoSession = errors.New("no session")

// noSession says so in words.
type noSession struct{ text string }

func (e noSession) Error() string        { return e.text }
func (e noSession) Is(target error) bool { return target == errNoSession }

// goOn continues a session: without its past, if the agent can do that.
func (s *session) goOn(params openParams) (err error) {
	id := line(params.SessionID, maxWord)
	if !s.can.resume && !s.can.load {
		return noSession{fmt.Sprintf("it can't continue session %s: this agent can't continue sessions", id)}
	}
	var refused *rpcError
	resumes := s.can.resume
	if resumes {
		err = s.openBy("session/resume", params)
		resumes = !errors.As(err, &refused) || refused.Code != codeMethodNotFound // Qwen Code 0.15 says that it can, and can't
	}
	if !resumes && s.can.load {
		err = s.load(params)
	}
	if err == nil || s.ctx.Err() != nil || errors.As(err, &refused) && refused.Code == codeAuthRequired {
		return err
	}
	// Agents say with different codes that they don't know it, and some don't answer.
	return noSession{fmt.Sprintf("it has no session %s that it could continue: %s", id, err)}
}

// fork opens a session that begins as a copy of another one. Whatever the agent tells of the past is shown as that.
func (s *session) fork(params openParams) error {
	id := line(params.SessionID, maxWord)
	if !s.can.fork {
		return noSession{fmt.Sprintf("it can't copy session %s: this agent can't fork sessions", id)}
	}
	s.setPast(pastShown)
	err := s.openBy("session/fork", params)
	s.setPast(pastNone)
	var refused *rpcError
	switch {
	case err == nil:
		s.log("its session begins as a copy of session %s", id)
		return nil
	case s.ctx.Err() != nil || errors.As(err, &refused) && refused.Code == codeAuthRequired:
		return err
	}
	return noSession{fmt.Sprintf("it can't copy session %s: %s", id, err)}
}

// load continues a session of which the agent tells the past. Of an agent that was in it before, the log has that already.
func (s *session) load(params openParams) error {
	now := pastShown
	if s.launch.Again {
		now = pastHidden
	}
	s.setPast(now)
	err := s.openBy("session/load", params)
	s.setPast(pastNone)
	s.mu.Lock()
	told := s.told
	s.mu.Unlock()
	if err == nil && !told { // Qwen Code 0.15 takes any id, and begins an empty session where it knows none
		s.log("it has told nothing of what was said in session %s: it may have begun a new one", line(params.SessionID, maxWord))
	}
	return err
}

// openBy opens a session by a method, and takes what it offers.
func (s *session) openBy(method string, params openParams) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, startTimeout, fmt.Errorf("it has not answered for %s", startTimeout))
	defer cancel()
	var r struct {
		SessionID string `json:"sessionId"`
	}
	known := params.SessionID
	if method == "session/fork" {
		known = "" // the copy has an id of its own
	}
	err := s.conn.callThen(ctx, method, params, &r, func(m *message) { s.opened(known, m) })
	switch {
	case err != nil:
		return err
	case known == "" && (r.SessionID == "" || len(r.SessionID) > wire.MaxOptionID):
		return fmt.Errorf("its answer to %s has no sessionId", method)
	case method == "session/fork" && r.SessionID == params.SessionID:
		return errors.New("the copy has the id of the session itself")
	}
	return nil
}

// opened takes the answer to a request that opens a session. id is that of one that is continued.
func (s *session) opened(id string, m *message) {
	s.setPast(pastNone)
	var r struct {
		SessionID string `json:"sessionId"`
	}
	var state sessionState
	if m.Error != nil || id == "" && (json.Unmarshal(m.Result, &r) != nil || r.SessionID == "" || len(r.SessionID) > wire.MaxOptionID) {
		return
	}
	json.Unmarshal(m.Result, &state)
	s.mu.Lock()
	s.id = cmp.Or(id, r.SessionID)
	s.mu.Unlock()
	s.offer(func(o *offers) { o.opened(&state) })
}

// setPast begins or ends the past.
func (s *session) setPast(now past) {
	s.mu.Lock()
	before := s.past
	s.past = now
	clear(s.tools)
	s.called, s.size = nil, 0
	shown := s.pastSaid
	if before != now {
		s.pastSaid = false
	}
	s.mu.Unlock()
	if before != now && shown {
		s.note("The conversation goes on here.")
	}
}

// showsPast begins to show the past with the first piece of it.
func (s *session) showsPast() {
	s.mu.Lock()
	first := !s.pastSaid
	s.pastSaid = true
	s.mu.Unlock()
	if first {
		s.note("What was said before:")
	}
}
