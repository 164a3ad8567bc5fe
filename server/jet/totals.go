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

// totals counts an agent's events of one class from its first one on, dropped ones too. Each message carries the totals
// before it, so that the log itself tells what is missing from it and how much is there, whatever dropped it.
type totals struct {
	wire.Amount
	stored uint64 // bytes in the stream
}

// atField begins the totals, which are the last field of every message.
var atField = []byte(`,"at":[`)

// appendTo adds the totals to an event's JSON.
func (t totals) appendTo(event []byte) []byte {
	return fmt.Appendf(event[:len(event)-1], `,"at":[%d,%d,%d]}`, t.Events, t.Bytes, t.stored)
}

var errTotals = errors.New("it has no totals")

// parseTotals reads them off a message, without reading the event.
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

// msgSize is what a message takes of the stream, as the store counts.
func msgSize(subject string, data []byte) int { return msgOverhead + len(subject) + len(data) }

// found is where an event stands.
type found struct {
	seq    uint64 // 0: there is none
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

// after is the totals with the event itself.
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
