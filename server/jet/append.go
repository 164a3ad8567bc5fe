package jet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// Append adds an event to the log. Once it is stored, done is called with its seq; all calls of done come from one
// goroutine, in the order of the calls of Append. Append sets e.Before and ignores e.Seq. Calls for the same agent must
// not overlap.
//
// Append blocks while too many events are under way or the log makes room. For output, it also blocks while the disk is
// full, so that an agent that prints waits instead of losing events.
func (s *Store) Append(e *wire.Event, done func(seq uint64)) {
	if e.Type.WithOutput() {
		s.room.wait()
	}
	b, err := json.Marshal(e)
	if err != nil { // impossible: an event is plain data
		panic(fmt.Sprintf("jet: encode event: %v", err))
	}
	c := classOf(e.Type)
	subject := subjectOf(e.Subject, c)
	before := s.shares.add(e.Subject, c, e.Data.Len(), func(before totals) int {
		b = before.appendTo(b)
		return msgSize(subject, b)
	}, s.room.drain)
	e.Before = before.Amount
	s.appends <- appended{event: e, msg: &nats.Msg{Subject: subject, Data: b}, done: done}
}

// publish sends the events to the stream. A single publisher keeps them in order.
func (s *Store) publish() {
	defer close(s.acks)
	for a := range s.appends {
		var err error
		for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
			if a.future, err = s.events.js.PublishMsgAsync(a.msg); err == nil {
				break
			}
			if s.events.nc.IsClosed() {
				break
			}
			s.log.Warn("the event log does not take events; agents wait", "err", err)
			time.Sleep(wait)
		}
		s.acks <- a
	}
}

// settle waits until each event is stored, in order, and reports its seq.
func (s *Store) settle() {
	for a := range s.acks {
		if a.future == nil { // the connection was closed
			continue
		}
		var seq uint64
		select {
		case ack := <-a.future.Ok():
			seq = ack.Sequence
		case err := <-a.future.Err():
			seq = s.retry(a.msg, err)
		}
		if seq != 0 {
			s.shares.placed(a.event.Subject, classOf(a.event.Type), seq)
			a.done(seq)
		}
	}
}

// retry stores an event that was refused, for example because the disk is full. It tries for as long as it takes; in the
// meantime its agent waits, and nothing is lost. It returns 0 if the store was closed, which happens opTimeout after
// Close at the latest.
func (s *Store) retry(m *nats.Msg, err error) uint64 {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		s.log.Error("the event log refused an event; trying again", "err", err, "wait", wait)
		time.Sleep(wait)
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		var ack *jetstream.PubAck
		ack, err = s.events.js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Data: m.Data})
		cancel()
		if err == nil {
			return ack.Sequence
		}
		if s.events.nc.IsClosed() {
			return 0
		}
	}
}
