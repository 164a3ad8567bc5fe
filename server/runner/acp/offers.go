package acp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// What can be chosen for a session comes in three forms, which agents mix: configOptions, which are the protocol's own and hold the mode and
// the model, too, where an agent has them; modes, which they supersede; and models, which were never stable and are not part of the
// protocol any more. Where configOptions have a mode or a model, the older form of it says the same and is not shown.

// sessionState is what an agent says of a session when it opens it.
type sessionState struct {
	Modes  maybe[modes]    `json:"modes"`
	Models maybe[models]   `json:"models"`
	Config json.RawMessage `json:"configOptions"`
}

type modes struct {
	Current   string          `json:"currentModeId"`
	Available json.RawMessage `json:"availableModes"`
}

type models struct {
	Current   string          `json:"currentModelId"`
	Available json.RawMessage `json:"availableModels"`
}

type configOption struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Category    string          `json:"category"`
	Type        string          `json:"type"` // select, boolean
	Current     json.RawMessage `json:"currentValue"`
	Values      json.RawMessage `json:"options"` // or groups of them
}

// choice is a value of a configOption, a group of them, a mode or a model.
type choice struct {
	Value       string          `json:"value"`
	ID          string          `json:"id"`
	ModelID     string          `json:"modelId"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Group       string          `json:"group"`
	Values      json.RawMessage `json:"options"` // of a group
}

type command struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Input       maybe[struct {
		Hint string `json:"hint"`
	}] `json:"input"`
}

// offers is what an agent offers. Its slices are replaced, never written to.
type offers struct {
	title    string
	mode     *wire.AgentOption // in the older form; nil: it has none
	model    *wire.AgentOption // likewise
	config   []wire.AgentOption
	commands []wire.AgentCommand
}

// all are the options that are shown.
func (o *offers) all() []wire.AgentOption {
	all := []wire.AgentOption{}
	for _, old := range []*wire.AgentOption{o.mode, o.model} {
		if old != nil && !slices.ContainsFunc(o.config, func(c wire.AgentOption) bool { return c.Category == old.Category || c.ID == old.ID }) {
			all = append(all, *old)
		}
	}
	return append(all, o.config...)
}

// opened takes what an agent says of the session that it has opened.
func (o *offers) opened(s *sessionState) {
	o.mode, o.model = nil, nil
	if s.Modes.is {
		o.mode = choices("mode", "Mode", wire.OptionMode, s.Modes.v.Current, s.Modes.v.Available)
	}
	if s.Models.is {
		o.model = choices("model", "Model", wire.OptionModel, s.Models.v.Current, s.Models.v.Available)
	}
	o.config = configOptions(s.Config)
}

// inMode takes the mode that the agent has gone to.
func (o *offers) inMode(id string) {
	if o.mode != nil {
		o.mode = with(*o.mode, id)
	}
	for i, c := range o.config {
		if c.Category == "mode" && slices.ContainsFunc(c.Values, func(v wire.OptionValue) bool { return v.ID == id }) {
			o.config = slices.Clone(o.config)
			o.config[i].Value = id
		}
	}
}

// set takes a value that the agent has confirmed, without a list of its options.
func (o *offers) set(option wire.AgentOption, value string) {
	switch option.Kind {
	case wire.OptionMode:
		o.inMode(value)
	case wire.OptionModel:
		if o.model != nil {
			o.model = with(*o.model, value)
		}
	case wire.OptionConfig:
		for i, c := range o.config {
			if c.ID == option.ID {
				o.config = slices.Clone(o.config)
				o.config[i] = *with(c, value)
			}
		}
	}
}

// with is an option that has another value.
func with(o wire.AgentOption, value string) *wire.AgentOption {
	if len(value) <= wire.MaxOptionID {
		o.Value = value
		o.Values = withCurrent(o.Values, value)
	}
	return &o
}

// withCurrent are values, with the present one among them.
func withCurrent(values []wire.OptionValue, id string) []wire.OptionValue {
	if id == "" || slices.ContainsFunc(values, func(v wire.OptionValue) bool { return v.ID == id }) {
		return values
	}
	return append(slices.Clip(values), wire.OptionValue{ID: id, Name: line(id, wire.MaxOptionText)})
}

// offerReader reads lists as far as there is room.
type offerReader struct{ room int }

// fits takes the room that v needs, if there is so much.
func (r *offerReader) fits(v any) bool {
	n := wire.EncodedSize(v) + 1
	if n > r.room {
		return false
	}
	r.room -= n
	return true
}

// values reads the values of an option, and those of groups. Those that don't fit are counted.
func (r *offerReader) values(o *wire.AgentOption, list json.RawMessage, in *choice) {
	group := ""
	if in != nil {
		group = line(cmp.Or(in.Name, in.Group), wire.MaxOptionText)
	}
	each(list, func(item json.RawMessage) {
		var c choice
		if json.Unmarshal(item, &c) != nil {
			return
		}
		if len(c.Values) > 0 && in == nil {
			r.values(o, c.Values, &c)
			return
		}
		v := wire.OptionValue{ID: cmp.Or(c.Value, c.ID, c.ModelID), Description: line(c.Description, wire.MaxOptionText), Group: group}
		v.Name = line(cmp.Or(c.Name, v.ID), wire.MaxOptionText)
		switch {
		case v.ID == "" || len(v.ID) > wire.MaxOptionID:
		case len(o.Values) >= wire.MaxOptionValues || !r.fits(v):
			o.More++
		default:
			o.Values = append(o.Values, v)
		}
	})
}

// choices reads modes or models.
func choices(id, name string, kind wire.OfferKind, current string, list json.RawMessage) *wire.AgentOption {
	r := offerReader{room: wire.MaxOffers / 8}
	o := wire.AgentOption{ID: id, Name: name, Category: id, Kind: kind, Values: []wire.OptionValue{}}
	r.values(&o, list, nil)
	if len(current) <= wire.MaxOptionID {
		o.Value = current
	}
	o.Values = withCurrent(o.Values, o.Value)
	if len(o.Values) == 0 {
		return nil
	}
	return &o
}

// configOptions reads a list of them.
func configOptions(list json.RawMessage) (all []wire.AgentOption) {
	r := offerReader{room: wire.MaxOffers / 2}
	each(list, func(item json.RawMessage) {
		var c configOption
		if len(all) >= wire.MaxOptions || json.Unmarshal(item, &c) != nil || c.ID == "" || len(c.ID) > wire.MaxOptionID {
			return
		}
		if slices.ContainsFunc(all, func(o wire.AgentOption) bool { return o.ID == c.ID }) {
			return
		}
		o := wire.AgentOption{ID: c.ID, Name: line(cmp.Or(c.Name, c.ID), wire.MaxOptionText), Description: line(c.Description, wire.MaxOptionText),
			Category: line(c.Category, wire.MaxOptionText), Kind: wire.OptionConfig, Values: []wire.OptionValue{}}
		if r.read(&o, &c) {
			all = append(all, o)
		}
	})
	return all
}

// read reads the value of an option, and its values. It reports whether the option is of a type that is known, and fits.
func (r *offerReader) read(o *wire.AgentOption, c *configOption) bool {
	switch c.Type {
	case "boolean":
		var on bool
		if json.Unmarshal(c.Current, &on) != nil || !r.fits(o) {
			return false
		}
		o.Boolean, o.Value = true, "false"
		if on {
			o.Value = "true"
		}
		o.Values = []wire.OptionValue{{ID: "true", Name: "On"}, {ID: "false", Name: "Off"}}
		return true
	case "select", "":
		var current string
		if len(c.Current) > 0 && json.Unmarshal(c.Current, &current) != nil || len(current) > wire.MaxOptionID || !r.fits(o) {
			return false
		}
		o.Value = current
		r.values(o, c.Values, nil)
		o.Values = withCurrent(o.Values, current)
		return len(o.Values) > 0
	}
	return false
}

// commands reads those of an available_commands_update.
func commands(list json.RawMessage) (all []wire.AgentCommand) {
	r := offerReader{room: wire.MaxOffers / 4}
	each(list, func(item json.RawMessage) {
		var c command
		if json.Unmarshal(item, &c) != nil {
			return
		}
		name := strings.TrimPrefix(c.Name, "/")
		a := wire.AgentCommand{Name: name, Description: line(c.Description, wire.MaxOptionText), Hint: line(c.Input.v.Hint, wire.MaxOptionText)}
		named := name != "" && len(name) <= wire.MaxOptionID && name == line(name, wire.MaxOptionID) // which may be two words: "memory show"
		if named && len(all) < wire.MaxCommands && r.fits(a) {
			all = append(all, a)
		}
	})
	return all
}

// each calls f with the items of a list, at most maxItems of them.
func each(list json.RawMessage, f func(item json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(list))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return
	}
	for n := 0; n < maxItems && d.More(); n++ {
		var item json.RawMessage
		if d.Decode(&item) != nil {
			return
		}
		f(item)
	}
}
