package transcript

import (
	"bytes"
	"encoding/json"
	"errors"
)

// The parts of a SessionUpdate (Agent Client Protocol, version 1) that a transcript shows. What an agent sends in a form of its own is
// left out, and the rest of the update counts all the same.

// maxItems bounds a list in an update.
const maxItems = 200

// update is a session/update of any kind.
type update struct {
	Kind     string            `json:"sessionUpdate"`
	Content  json.RawMessage   `json:"content"` // one block of a message, or those of a tool call
	Entries  []json.RawMessage `json:"entries"` // of a plan
	ModeID   string            `json:"currentModeId"`
	Message  string            `json:"messageId"`
	Text     string            `json:"text"` // of wire.UpdateNote
	Tool     string            `json:"toolCallId"`
	Title    json.RawMessage   `json:"title"`
	ToolKind json.RawMessage   `json:"kind"`
	Status   json.RawMessage   `json:"status"`
	RawInput json.RawMessage   `json:"rawInput"`
	Places   json.RawMessage   `json:"locations"`
}

// block is one block of content, or what a tool call shows.
type block struct {
	Type     string          `json:"type"` // of a message: text, image, audio, resource, resource_link; of a tool call: content, diff, terminal
	Content  json.RawMessage `json:"content"`
	Text     string          `json:"text"`
	URI      string          `json:"uri"`
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	MIME     string          `json:"mimeType"`
	Resource json.RawMessage `json:"resource"`
	Path     string          `json:"path"`
	OldText  *string         `json:"oldText"`
	NewText  string          `json:"newText"`
}

// parse reads an update. It fails if the text is no object of JSON.
func parse(text string) (u update, err error) {
	if !json.Valid([]byte(text)) {
		return u, errors.New("no JSON")
	}
	err = json.Unmarshal([]byte(text), &u)
	var form *json.UnmarshalTypeError
	if errors.As(err, &form) { // the other fields were read
		err = nil
	}
	return u, err
}

// word returns a string, or "" of anything else.
func word(raw json.RawMessage) (s string) {
	json.Unmarshal(raw, &s)
	return s
}

// list returns the elements of a list, as far as maxItems go; nil of anything else.
func list(raw json.RawMessage) (items []json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return nil
	}
	for len(items) < maxItems && d.More() {
		var item json.RawMessage
		if d.Decode(&item) != nil {
			break
		}
		items = append(items, item)
	}
	return items
}

// blockOf reads a block as far as it can be read.
func blockOf(raw json.RawMessage) (b block) {
	json.Unmarshal(raw, &b)
	return b
}
