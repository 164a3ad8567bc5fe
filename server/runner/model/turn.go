package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// maxTalk bounds a conversation, in bytes, unless Options.Talk does.
const maxTalk = 32 << 20

// forget is the prompt that begins a new conversation.
const forget = "/new"

func (s *session) tooLong() error {
	return fmt.Errorf("the conversation is larger than %d bytes; %s begins a new one", s.kind.talk, forget)
}

// turnResult is the result of a session/prompt.
type turnResult struct {
	StopReason string     `json:"stopReason"`
	Usage      *turnUsage `json:"usage,omitempty"`
}

// turnUsage counts the tokens of a turn, as ACP does in PromptResponse.
type turnUsage struct {
	Input   int `json:"inputTokens"`
	Output  int `json:"outputTokens"`
	Total   int `json:"totalTokens"`
	Cached  int `json:"cachedReadTokens,omitempty"`
	Thought int `json:"thoughtTokens,omitempty"`
}

func (u *turnUsage) add(a *usage) *turnUsage {
	if a == nil {
		return u
	}
	if u == nil {
		u = &turnUsage{}
	}
	u.Input += a.Input
	u.Output += a.Output
	u.Total += a.Input + a.Output
	u.Cached += a.InputDetails.Cached
	u.Thought += a.OutputDetails.Reasoning
	return u
}

// turn carries out a prompt.
func (s *session) turn(ctx context.Context, prompt string) (r turnResult, err error) {
	if strings.TrimSpace(prompt) == forget {
		s.talk, s.size = nil, 0
		s.speech.say("agent_message_chunk", "The conversation begins anew.\n")
		return turnResult{StopReason: "end_turn"}, nil
	}
	if s.size+len(prompt) > s.kind.talk {
		return r, s.tooLong()
	}
	s.add(message{Role: "user", Content: prompt})
	defer func() {
		if ctx.Err() != nil && s.ctx.Err() == nil {
			r.StopReason, err = "cancelled", nil
		}
	}()
	for range cmp.Or(s.launch.Model.MaxCalls, wire.DefaultModelCalls) {
		a, err := s.endpoint.ask(ctx, slices.Concat([]message{{Role: "system", Content: s.system()}}, s.talk), s.tools, listening{s})
		s.speech.flush()
		r.Usage = r.Usage.add(a.usage)
		calls := a.ToolCalls
		if err != nil || a.finish != "tool_calls" && a.finish != "stop" && a.finish != "function_call" {
			calls = nil // they may be cut off
		}
		if a.Content != "" || len(calls) > 0 {
			s.add(message{Role: "assistant", Content: a.Content, ToolCalls: wellFormed(calls)})
		}
		switch {
		case err != nil && errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return r, nil
		case err != nil:
			return r, err
		case a.finish == "length":
			r.StopReason = "max_tokens"
			return r, nil
		case a.finish == "content_filter":
			r.StopReason = "refusal"
			return r, nil
		case len(calls) == 0:
			r.StopReason = "end_turn"
			return r, nil
		}
		for i := range calls {
			s.add(message{Role: "tool", ToolCallID: calls[i].ID, Content: s.call(ctx, &calls[i])})
		}
		switch {
		case ctx.Err() != nil:
			return r, nil
		case s.size > s.kind.talk:
			return r, s.tooLong()
		}
	}
	r.StopReason = "max_turn_requests"
	return r, nil
}

// add adds a message to the conversation.
func (s *session) add(m message) {
	s.talk = append(s.talk, m)
	s.size += m.size()
}

// system is the system prompt.
func (s *session) system() string {
	if p := s.launch.Model.System; p != "" {
		return p
	}
	p := fmt.Sprintf("You are an agent that is run by Skein, which people use to run many agents. Your id is %s.", s.launch.Agent)
	if len(s.tools) > 0 {
		p += " You act only by your tools; say plainly what you could not do. What you say last is your result."
	}
	return p
}

// listening passes on what the endpoint says.
type listening struct{ s *session }

func (l listening) message(text string) { l.s.speech.say("agent_message_chunk", text) }
func (l listening) thought(text string) { l.s.speech.say("agent_thought_chunk", text) }

func (l listening) retries(why string, wait time.Duration) {
	l.s.log("%s; the next try is in %s", why, wait.Round(time.Millisecond))
}
