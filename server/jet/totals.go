package jet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// totals counts an agent's events of one class from its first one on, including those that were dropped. Each message
// carries the totals before it. So the log itself shows how much it holds and how much is missing, whoever dropped it.
type totals struct {
	wire.Amount
	stored uint64 // bytes that the messages take of the stream
}

// atField is the start of the totals in a message. They are its last field.
var atField = []byte(`,"at":[`)

// appendTo adds the totals to the JSON of an event.
func (t totals) appendTo(event []byte) []byte {
	return fmt.Appendf(event[:len(event)-1], `,"at":[%d,%d,%d]}`, t.Events, t.Bytes, t.stored)
}

var errTotals = errors.New("it has no totals")

// parseTotals reads the totals of a message without decoding the event.
func parseTotals(data []byte) (t totals, _ error) {
	i := bytes.LastIndex(data, atField)
	if i < 0 {
		return t, errTotals
	}
	var at [3]uint64
	if err := json.Unmarshal(data[i+len(atField)-1:len(data)-1], &at); err != nil {
		return t, errTotals
	}
	return totals{wire.Amount{Events: at[0], Bytes: at[1]}, at[2]}, nil
}

// msgOverhead is what the store adds to the subject and the data of a message, in bytes.
const msgOverhead = 30

// msgSize returns what a message takes of the stream by the store's own count.
func msgSize(subject string, data []byte) int { return msgOverhead + len(subject) + len(data) }

// found is an event in the log, with the totals before it.
type found struct {
	seq    uint64 // 0: no event was found
	before totals
	time   time.Time
	msg    *jetstream.RawStreamMsg
}

func read(m *jetstream.RawStreamMsg) (found, error) {
	before, err := parseTotals(m.Data)
	if err != nil {
		return found{}, fmt.Errorf("read event %d: %w", m.Sequence, err)
	}
	return found{m.Sequence, before, m.Time.UTC(), m}, nil
}

// happened is the time that the event itself says, which is before that of its message.
func (f found) happened() time.Time {
	var e struct {
		Time time.Time `json:"time"`
	}
	if f.msg == nil || json.Unmarshal(f.msg.Data, &e) != nil || e.Time.IsZero() {
		return f.time
	}
	return e.Time
}

// after returns the totals that include the event itself.
func (f found) after() totals {
	var e wire.Event
	if f.msg == nil || json.Unmarshal(f.msg.Data, &e) != nil {
		return f.before
	}
	t := f.before
	t.Events++
	t.Bytes += uint64(e.Data.Len())
	t.stored += uint64(msgSize(f.msg.Subject, f.msg.Data))
	return t
}
