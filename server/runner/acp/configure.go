package acp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// configureTimeout is how long an agent may take to set an option, or to list sessions.
const configureTimeout = 30 * time.Second

type sessionParams struct {
	SessionID string `json:"sessionId"`
	ModeID    string `json:"modeId,omitempty"`
	ModelID   string `json:"modelId,omitempty"`
}

type configParams struct {
	SessionID string `json:"sessionId"`
	Option    string `json:"configId"`
	Type      string `json:"type,omitempty"` // boolean; "": value is the id of one
	Value     any    `json:"value"`
}

// Options implements runner.Configurer.
func (s *session) Options() wire.OptionsResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := wire.OptionsResult{Session: s.id, Title: s.offers.title, Options: s.offers.all(), Commands: s.offers.commands, Sessions: s.can.list, Forks: s.can.fork}
	if r.Commands == nil {
		r.Commands = []wire.AgentCommand{}
	}
	return r
}

// offer changes what the agent offers, and says so.
func (s *session) offer(change func(*offers)) {
	s.mu.Lock()
	change(&s.offers)
	id := s.id
	s.mu.Unlock()
	if id != "" {
		s.tell(runner.Offers{Session: id})
	}
}

// Configure implements runner.Configurer. Options are set one at a time.
func (s *session) Configure(ctx context.Context, option, value string) error {
	select {
	case s.setting <- struct{}{}:
		defer func() { <-s.setting }()
	case <-ctx.Done():
		return wire.Errorf(wire.CodeTimeout, "another option of the agent is being set")
	}
	s.mu.Lock()
	ready := s.id != "" && s.ctx.Err() == nil
	all := s.offers.all()
	s.mu.Unlock()
	if !ready {
		return wire.Errorf(wire.CodePrecondition, "the agent has no session in which that could be set: it is starting, or has ended")
	}
	o, err := wire.OptionNamed(all, option)
	if err != nil {
		return err
	}
	if err := allowed(o, value); err != nil {
		return err
	}
	return s.set(ctx, o, value)
}

// allowed returns an error for a value that an option does not have. Of one that has more values than are kept, the agent decides.
func allowed(o wire.AgentOption, value string) error {
	ids := []string{}
	for _, v := range o.Values {
		ids = append(ids, v.ID)
	}
	if slices.Contains(ids, value) || o.More > 0 && len(value) <= wire.MaxOptionID {
		return nil
	}
	return wire.Errorf(wire.CodeInvalidParams, "option %s has no value %q; its values are %s", o.ID, wire.Cut(value, 100), listed(ids)).WithField("value").WithSupported(ids)
}

// listed are words for people, not too many.
func listed(words []string) string {
	const most = 40
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}

// set has the agent set an option.
func (s *session) set(ctx context.Context, o wire.AgentOption, value string) error {
	ctx, cancel := s.within(ctx, configureTimeout)
	defer cancel()
	method, params := "session/set_config_option", any(configParams{SessionID: s.id, Option: o.ID, Value: value})
	switch {
	case o.Kind == wire.OptionMode:
		method, params = "session/set_mode", sessionParams{SessionID: s.id, ModeID: value}
	case o.Kind == wire.OptionModel:
		method, params = "session/set_model", sessionParams{SessionID: s.id, ModelID: value}
	case o.Boolean:
		params = configParams{SessionID: s.id, Option: o.ID, Type: "boolean", Value: value == "true"}
	}
	err := s.conn.callThen(ctx, method, params, nil, func(m *message) { s.wasSet(o, value, m) })
	if err != nil {
		return wire.Errorf(wire.CodePrecondition, "the agent does not set %s to %s: %s", o.ID, value, err).WithField("value")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, err := wire.OptionNamed(s.offers.all(), o.ID); err == nil && now.Value != value {
		return wire.Errorf(wire.CodePrecondition, "the agent has left %s at %s", o.ID, now.Value).WithField("value")
	}
	return nil
}

// within returns a context for a request to the agent that somebody else makes.
func (s *session) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { end(errEnded) })
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it has not answered for %s", limit))
	return ctx, func() {
		cancel()
		stop()
		end(nil)
	}
}

// wasSet takes the answer to a request that sets an option. That of session/set_config_option has all options, as some depend on others.
func (s *session) wasSet(o wire.AgentOption, value string, m *message) {
	if m.Error != nil {
		return
	}
	var r sessionState
	json.Unmarshal(m.Result, &r)
	s.offer(func(f *offers) {
		if config := configOptions(r.Config); o.Kind == wire.OptionConfig && len(config) > 0 {
			f.config = config
		} else {
			f.set(o, value)
		}
	})
}

// setUp sets the mode and the options that the type of the agent names, or, if people are to be asked for permissions, the mode that asks.
func (s *session) setUp() error {
	if err := s.setMode(); err != nil {
		return err
	}
	left := map[string]string{}
	for name, value := range s.launch.Options {
		left[name] = value
	}
	for len(left) > 0 {
		name := s.nextOption(left)
		if err := s.Configure(s.ctx, name, left[name]); err != nil {
			return fmt.Errorf("options of its type: %s", wire.AsError(err).Message)
		}
		delete(left, name)
	}
	return nil
}

// nextOption is the first of some options in the order of the agent, in which those come later that depend on others.
func (s *session) nextOption(left map[string]string) string {
	all := s.Options().Options
	for _, o := range all {
		for name := range left {
			if found, err := wire.OptionNamed(all, name); err == nil && found.ID == o.ID {
				return name
			}
		}
	}
	for name := range left {
		return name
	}
	return ""
}

// setMode sets the mode.
func (s *session) setMode() error {
	want := s.launch.Mode
	o, err := wire.OptionNamed(s.Options().Options, "mode")
	if err != nil {
		if want != "" {
			return fmt.Errorf("it has no modes, so that it can't be in mode %q", want)
		}
		return nil
	}
	var ids []string
	for _, v := range o.Values {
		ids = append(ids, v.ID)
	}
	if want == "" && s.launch.AsksFirst && slices.Contains(ids, "default") {
		want = "default"
	}
	if want == "" || want == o.Value {
		s.log("mode %s; its modes are %s", o.Value, listed(ids))
		return nil
	}
	if !slices.Contains(ids, want) {
		return fmt.Errorf("it has no mode %q; its modes are %s", want, listed(ids))
	}
	if err := s.set(s.ctx, o, want); err != nil {
		return fmt.Errorf("it does not take mode %q: %s", want, wire.AsError(err).Message)
	}
	s.log("mode %s instead of %s; its modes are %s", want, o.Value, listed(ids))
	return nil
}
