package acp

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	sdk "github.com/coder/acp-go-sdk"
)

// store keeps the prompts of a session in a file of its folder, a line of JSON each, and what was chosen for it.
type store struct {
	folder string
	chosen map[string]string
}

func (s *store) begin(cwd string) sdk.SessionId {
	s.folder = cwd
	return sdk.SessionId("s1 in " + cwd)
}

func (s *store) file(id sdk.SessionId) string {
	return filepath.Join(strings.TrimPrefix(string(id), "s1 in "), "session")
}

func (s *store) add(id sdk.SessionId, text string) {
	f, err := os.OpenFile(s.file(id), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	json.NewEncoder(f).Encode(text)
}

func (s *store) prompts(id sdk.SessionId) (all []string, err error) {
	b, err := os.ReadFile(s.file(id))
	if err != nil {
		return nil, &sdk.RequestError{Code: -32603, Message: "Internal error", Data: map[string]any{"service": "session"}}
	}
	for d := json.NewDecoder(strings.NewReader(string(b))); d.More(); {
		var text string
		d.Decode(&text)
		all = append(all, text)
	}
	return all, nil
}

func (a *puppet) abilities(c *sdk.AgentCapabilities) {
	switch a.how {
	case "load":
		c.LoadSession = true
	case "resume":
		c.LoadSession, c.SessionCapabilities.Resume, c.SessionCapabilities.List = true, &sdk.SessionResumeCapabilities{}, &sdk.SessionListCapabilities{}
	case "fork", "forks into itself":
		c.SessionCapabilities.Fork = &sdk.SessionForkCapabilities{}
	case "says it resumes":
		c.LoadSession, c.SessionCapabilities.Resume = true, &sdk.SessionResumeCapabilities{}
	}
}

// UnstableForkSession copies a session of this folder; its other id is the folder's still, with "fork of" before it.
func (a *puppet) UnstableForkSession(_ context.Context, p sdk.UnstableForkSessionRequest) (r sdk.UnstableForkSessionResponse, err error) {
	said, err := a.store.prompts(p.SessionId)
	if err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "forked %d prompts in %s\n", len(said), p.Cwd)
	r.SessionId = "fork of " + p.SessionId
	if a.how == "forks into itself" {
		r.SessionId = p.SessionId
	}
	return r, nil
}

// state is what can be chosen.
func (a *puppet) state() (modes *sdk.SessionModeState, models *sdk.SessionModelState, config []sdk.SessionConfigOption) {
	modes = &sdk.SessionModeState{CurrentModeId: "auto", AvailableModes: []sdk.SessionMode{{Id: "auto", Name: "Auto"}, {Id: "default", Name: "Ask"}}}
	switch a.how {
	case "models":
		models = &sdk.SessionModelState{CurrentModelId: "small", AvailableModels: []sdk.ModelInfo{{ModelId: "small", Name: "Small"}, {ModelId: "big", Name: "Big"}}}
	case "options":
		config = a.config()
	}
	return modes, models, config
}

// config has an option that only the model "big" has.
func (a *puppet) config() []sdk.SessionConfigOption {
	chosen := func(id, otherwise string) sdk.SessionConfigValueId {
		if v := a.store.chosen[id]; v != "" {
			otherwise = v
		}
		return sdk.SessionConfigValueId(otherwise)
	}
	flat := func(ids ...sdk.SessionConfigValueId) sdk.SessionConfigSelectOptions {
		all := sdk.SessionConfigSelectOptionsUngrouped{}
		for _, id := range ids {
			all = append(all, sdk.SessionConfigSelectOption{Value: id, Name: strings.ToUpper(string(id))})
		}
		return sdk.SessionConfigSelectOptions{Ungrouped: &all}
	}
	category := func(c sdk.SessionConfigOptionCategory) *sdk.SessionConfigOptionCategory { return &c }
	groups := sdk.SessionConfigSelectOptionsGrouped{
		{Group: "a", Name: "Of A", Options: []sdk.SessionConfigSelectOption{{Value: "small", Name: "Small"}}},
		{Group: "b", Name: "Of B", Options: []sdk.SessionConfigSelectOption{{Value: "big", Name: "Big"}, {Value: "stubborn", Name: "Stubborn"}}},
	}
	all := []sdk.SessionConfigOption{
		{Select: &sdk.SessionConfigOptionSelect{Id: "approval", Name: "Approval", Type: "select", Category: category("mode"), CurrentValue: chosen("approval", "auto"), Options: flat("auto", "default")}},
		{Select: &sdk.SessionConfigOptionSelect{Id: "model", Name: "Model", Type: "select", Category: category("model"), CurrentValue: chosen("model", "small"), Options: sdk.SessionConfigSelectOptions{Grouped: &groups}}},
	}
	if a.store.chosen["model"] == "big" {
		all = append(all, sdk.SessionConfigOption{Select: &sdk.SessionConfigOptionSelect{Id: "effort", Name: "Effort", Type: "select", Category: category("thought_level"), CurrentValue: chosen("effort", "low"), Options: flat("low", "high")}})
	}
	return append(all, sdk.SessionConfigOption{Boolean: &sdk.SessionConfigOptionBoolean{Id: "brave", Name: "Brave", Type: "boolean", CurrentValue: a.store.chosen["brave"] == "true"}})
}

func (a *puppet) SetSessionConfigOption(_ context.Context, p sdk.SetSessionConfigOptionRequest) (r sdk.SetSessionConfigOptionResponse, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store.chosen == nil {
		a.store.chosen = map[string]string{}
	}
	switch {
	case p.Boolean != nil:
		a.store.chosen[string(p.Boolean.ConfigId)] = strconv.FormatBool(p.Boolean.Value)
	case p.ValueId.ConfigId == "brave":
		return r, &sdk.RequestError{Code: -32602, Message: "Invalid params: it takes a boolean"}
	case p.ValueId.Value == "stubborn": // it answers, and stays as it was
	case p.ValueId.ConfigId == "model" && a.store.chosen["locked"] != "":
		return r, &sdk.RequestError{Code: -32603, Message: "Internal error", Data: map[string]any{"details": "the model is locked"}}
	default:
		a.store.chosen[string(p.ValueId.ConfigId)] = string(p.ValueId.Value)
	}
	fmt.Fprintf(os.Stderr, "chosen: %v\n", a.store.chosen)
	r.ConfigOptions = a.config()
	return r, nil
}

func (a *puppet) UnstableSetSessionModel(_ context.Context, p sdk.UnstableSetSessionModelRequest) (r sdk.UnstableSetSessionModelResponse, err error) {
	fmt.Fprintf(os.Stderr, "model is %s\n", p.ModelId)
	return r, nil
}

// offer changes what it offers by itself.
func (a *puppet) offer(id sdk.SessionId, verb, rest string) {
	switch verb {
	case "become":
		a.update(id, sdk.SessionUpdate{CurrentModeUpdate: &sdk.SessionCurrentModeUpdate{SessionUpdate: "current_mode_update", CurrentModeId: sdk.SessionModeId(rest)}})
	case "offer":
		hint := &sdk.AvailableCommandInput{Unstructured: &sdk.UnstructuredCommandInput{Hint: "what to plan"}}
		a.update(id, sdk.SessionUpdate{AvailableCommandsUpdate: &sdk.SessionAvailableCommandsUpdate{SessionUpdate: "available_commands_update",
			AvailableCommands: []sdk.AvailableCommand{{Name: rest, Description: "Does it"}, {Name: "plan", Description: "Plans", Input: hint}}}})
	case "call":
		a.update(id, sdk.SessionUpdate{SessionInfoUpdate: &sdk.SessionSessionInfoUpdate{SessionUpdate: "session_info_update", Title: &rest}})
		a.mu.Lock()
		defer a.mu.Unlock()
		a.store.chosen = map[string]string{"model": "big", "locked": "yes"}
		a.update(id, sdk.SessionUpdate{ConfigOptionUpdate: &sdk.SessionConfigOptionUpdate{SessionUpdate: "config_option_update", ConfigOptions: a.config()}})
	}
}

func (a *puppet) LoadSession(_ context.Context, p sdk.LoadSessionRequest) (r sdk.LoadSessionResponse, err error) {
	<-a.ready
	all, err := a.store.prompts(p.SessionId)
	if err != nil {
		return r, err
	}
	fmt.Fprintln(os.Stderr, "loaded")
	for _, text := range all {
		a.update(p.SessionId, sdk.UpdateUserMessageText(text))
		a.update(p.SessionId, sdk.UpdateAgentMessageText("once: "+text))
	}
	a.update(p.SessionId, sdk.SessionUpdate{UsageUpdate: &sdk.SessionUsageUpdate{SessionUpdate: "usage_update", Used: 7, Size: 100, Cost: &sdk.Cost{Amount: 5, Currency: "USD"}}})
	r.Modes, r.Models, r.ConfigOptions = a.state()
	return r, nil
}

func (a *puppet) ResumeSession(_ context.Context, p sdk.ResumeSessionRequest) (r sdk.ResumeSessionResponse, err error) {
	if a.how == "says it resumes" {
		return r, &sdk.RequestError{Code: -32601, Message: "Method not found"}
	}
	if _, err := a.store.prompts(p.SessionId); err != nil {
		return r, err
	}
	fmt.Fprintln(os.Stderr, "resumed")
	r.Modes, r.Models, r.ConfigOptions = a.state()
	return r, nil
}

// ListSessions has two pages.
func (a *puppet) ListSessions(_ context.Context, p sdk.ListSessionsRequest) (r sdk.ListSessionsResponse, err error) {
	title, at, next := "The first", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Format(time.RFC3339), "two"
	switch {
	case p.Cursor == nil:
		r.Sessions = []sdk.SessionInfo{{SessionId: sdk.SessionId("s1 in " + a.store.folder), Cwd: a.store.folder, Title: &title, UpdatedAt: &at}}
		r.NextCursor = &next
	case *p.Cursor == next:
		r.Sessions = []sdk.SessionInfo{{SessionId: "s0", Cwd: "/elsewhere"}}
	default:
		return r, &sdk.RequestError{Code: -32602, Message: "Invalid params"}
	}
	return r, nil
}
