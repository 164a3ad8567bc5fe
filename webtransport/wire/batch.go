package wire

import (
	"bytes"
	"encoding/json"
)

// Requests without a session: POST RPCPath takes a JSON-RPC 2.0 batch (section 6 of its specification), or a single
// request.
const (
	RPCPath = "/rpc"
	// MCPPath is the path of the MCP server.
	MCPPath = "/mcp"
	// ClientIDHeader carries what ClientInfo.ID does in hello: requests count within it.
	ClientIDHeader   = "Skein-Client-Id"
	ClientNameHeader = "Skein-Client-Name"
	MinClientID      = 16
	MaxClientID      = 128
	// MaxRPCBatch bounds the messages of a batch.
	MaxRPCBatch = MaxInFlight
	// MaxRPCBody bounds a batch, in bytes.
	MaxRPCBody = MaxMessage
)

// BatchEntry is one message of a batch, or what is wrong with it.
type BatchEntry struct {
	Message *Message
	Err     *Error
}

// ParseBatch reads a batch, or a single message. Its error is an *Error about the whole.
func ParseBatch(b []byte) (batch []BatchEntry, single bool, err error) {
	b = bytes.TrimSpace(b)
	if len(b) > MaxRPCBody {
		return nil, false, Errorf(CodeTooLarge, "the batch is longer than %d bytes", MaxRPCBody)
	}
	if len(b) == 0 || b[0] != '[' {
		m, err := parseRequest(b)
		if err != nil {
			return nil, true, err
		}
		return []BatchEntry{{Message: m}}, true, nil
	}
	var all []json.RawMessage
	if json.Unmarshal(b, &all) != nil {
		return nil, false, Errorf(CodeParse, "the batch is not JSON")
	}
	if len(all) == 0 || len(all) > MaxRPCBatch {
		return nil, false, Errorf(CodeInvalidRequest, "a batch has 1 to %d messages, this one has %d", MaxRPCBatch, len(all))
	}
	for _, raw := range all {
		m, err := parseRequest(raw)
		if err != nil {
			batch = append(batch, BatchEntry{Err: AsError(err)})
			continue
		}
		batch = append(batch, BatchEntry{Message: m})
	}
	return batch, false, nil
}

func parseRequest(b []byte) (*Message, error) {
	m, err := ParseMessage(b)
	if err == nil && m.Method == "" {
		return nil, Errorf(CodeInvalidRequest, "the message is not a request")
	}
	return m, err
}
