package acp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// login asks a person how the agent is to log in, after it has refused to open a session, and has it do so.
func (s *session) login(methods []authMethod, refused error) error {
	text := "It wants a login: " + refused.Error()
	options := []wire.AskOption{}
	for _, m := range methods {
		if command := m.command(s.launch.Argv); command != "" {
			text += fmt.Sprintf("\n%s: run %s in a terminal, then try again.", cmp.Or(m.Name, m.ID), command)
			continue
		}
		options = append(options, wire.AskOption{ID: "login:" + m.ID, Name: cmp.Or(m.Name, m.ID)}) // of no kind: nobody allows a login by habit
		if m.Description != "" {
			text += fmt.Sprintf("\n%s: %s", cmp.Or(m.Name, m.ID), m.Description)
		}
	}
	options = append(options, wire.AskOption{ID: "again", Name: "Try again"}, wire.AskOption{ID: "end", Name: "End the agent", Kind: wire.RejectOnce})
	chosen := make(chan string, 1)
	s.tell(runner.Permission{Key: newKey(), Text: text, Login: true, Options: options, Answer: func(a *wire.AskAnswer) {
		if a == nil {
			a = &wire.AskAnswer{Option: "end"}
		}
		chosen <- a.Option
	}})
	select {
	case option := <-chosen:
		id, isLogin := strings.CutPrefix(option, "login:")
		if option == "end" {
			return fmt.Errorf("it wants a login: %w", refused)
		}
		if !isLogin {
			return nil
		}
		ctx, cancel := context.WithTimeoutCause(s.ctx, loginTimeout, fmt.Errorf("it has not answered for %s", loginTimeout))
		defer cancel()
		if err := s.conn.call(ctx, "authenticate", map[string]string{"methodId": id}, nil); err != nil && s.ctx.Err() == nil {
			s.log("the login failed: %s", err)
		}
		return nil
	case <-s.ctx.Done():
		return errEnded
	}
}

// command is what a person runs to log in; "": the agent does it itself.
func (m authMethod) command(argv []string) string {
	switch {
	case m.Meta.Terminal != nil:
		return strings.Join(append([]string{m.Meta.Terminal.Command}, m.Meta.Terminal.Args...), " ")
	case m.Type == "terminal":
		return strings.Join(append(slices.Clone(argv), m.Args...), " ")
	}
	return ""
}
