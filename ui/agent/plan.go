package agent

import (
	"encoding/json"
	"strings"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of a plan on the page. static/app/agent/plan.js has the same.
const (
	maxPlan     = 100 // entries
	maxPlanText = 400 // bytes of one
)

// PlanEntry is one step of what an agent says that it will do.
type PlanEntry struct {
	Text  string
	State string // completed, in_progress or pending
}

// Plan is the last plan in the events of an agent; empty if there is none.
func Plan(events []wire.Event) []PlanEntry {
	for i := len(events) - 1; i >= 0; i-- {
		if e := events[i]; e.Type == wire.EventUpdate && strings.Contains(e.Data.Text, `"plan"`) {
			if plan, ok := planOf(e.Data.Text); ok {
				return plan
			}
		}
	}
	return nil
}

// planOf reads the plan of an ACP SessionUpdate, which replaces an earlier one. ok is false if the update is none.
func planOf(update string) (plan []PlanEntry, ok bool) {
	var u struct {
		Kind    string            `json:"sessionUpdate"`
		Entries []json.RawMessage `json:"entries"`
	}
	if json.Unmarshal([]byte(update), &u) != nil || u.Kind != "plan" {
		return nil, false
	}
	for _, raw := range u.Entries[:min(len(u.Entries), maxPlan)] {
		var e struct {
			Content string `json:"content"`
			Status  string `json:"status"`
		}
		if json.Unmarshal(raw, &e) != nil {
			continue
		}
		if e.Status != "completed" && e.Status != "in_progress" {
			e.Status = "pending"
		}
		plan = append(plan, PlanEntry{Text: wire.Cut(words.Clean(e.Content), maxPlanText), State: e.Status})
	}
	return plan, true
}

// planGlyph is the shape of a step, and planWord what it means.
func planGlyph(state string) string {
	if state == "in_progress" {
		return "running"
	}
	return state
}

func planWord(state string) string {
	switch state {
	case "completed":
		return "Done: "
	case "in_progress":
		return "Doing: "
	}
	return "To do: "
}
