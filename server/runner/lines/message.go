package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// runParams is what an agent is told about its task. Input is text; if it is not valid text, InputBase64 has it in
// base64.
type runParams struct {
	Task        wire.TaskID       `json:"task"`
	Attempt     int               `json:"attempt"`
	Name        string            `json:"name,omitempty"`
	Input       string            `json:"input"`
	InputBase64 []byte            `json:"input_base64,omitempty"`
	Priority    wire.Priority     `json:"priority"`
	Labels      map[string]string `json:"labels,omitempty"`
	Deadline    *time.Time        `json:"deadline,omitempty"`
}

// says is what an agent says about a task.
type says struct {
	Task         wire.TaskID     `json:"task"`
	Text         string          `json:"text"`
	Message      string          `json:"message"`
	Fraction     float64         `json:"fraction"`
	Output       json.RawMessage `json:"output"` // a string is used as text, anything else as JSON
	OutputBase64 []byte          `json:"output_base64"`
	Retryable    bool            `json:"retryable"`
	Level        string          `json:"level"`
}

// output is a result in the form that the agent sends.
func (v says) output() []byte {
	var text string
	switch {
	case v.OutputBase64 != nil:
		return v.OutputBase64
	case json.Unmarshal(v.Output, &text) == nil:
		return []byte(text)
	}
	return bytes.Clone(v.Output)
}

func notification(method string, params any) []byte {
	m, err := wire.NewNotification(method, params)
	if err == nil {
		var line []byte
		if line, err = wire.AppendLine(nil, m); err == nil {
			return line
		}
	}
	panic(fmt.Sprintf("lines: encode %s: %v", method, err)) // impossible: it is plain data
}

func runLine(t *wire.Task) []byte {
	r := runParams{Task: t.ID, Attempt: t.Attempt, Name: t.Name, Input: t.Input.Text, InputBase64: t.Input.Base64, Priority: t.Priority, Labels: t.Labels}
	if t.Timeouts.RunMS > 0 {
		at := time.Now().Add(time.Duration(t.Timeouts.RunMS) * time.Millisecond).UTC()
		r.Deadline = &at
	}
	return notification(methodRun, r)
}

func cancelLine(id wire.TaskID) []byte {
	return notification(methodCancel, struct {
		Task wire.TaskID `json:"task"`
	}{id})
}

func answerLine(id json.RawMessage, res any, err error) []byte {
	var out *wire.Message
	var line []byte
	if err == nil {
		out, err = wire.NewResult(id, res)
	}
	if err == nil {
		line, err = wire.AppendLine(nil, out)
	}
	if err == nil && len(line) > maxAnswer {
		err = wire.Errorf(wire.CodeTooLarge, "the answer is longer than %d bytes: ask for less", maxAnswer)
	}
	if err != nil {
		line, _ = wire.AppendLine(nil, wire.NewError(id, wire.AsError(err))) // it is plain data
	}
	return line
}
