package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// A status datagram is a 16-byte header and fixed-width records, big-endian (docs/protocol.md, "Status datagrams").
//
//	header                          record
//	0  u8  kind = 1                 0  u32 num             12 u16 CPU, 1/1000 core
//	1  u8  record size = 32         4  u32 rev             14 i16 exit code
//	2  u16 record count             8  u8  status          16 u32 RSS, KiB
//	4  u32 epoch, FNV-1a            9  u8  activity        20 u32 heartbeat age, ms
//	8  u64 seq                      10 u8  reason          24 u64 last event seq
//	                                11 u8  processes
const (
	DatagramStatus    = 1
	StatusHeaderSize  = 16
	StatusRecordSize  = 32
	MaxStatusDatagram = 1100 // bytes; fits the smallest QUIC path MTU with WebTransport's own framing
	MaxStatusRecords  = (MaxStatusDatagram - StatusHeaderSize) / StatusRecordSize
)

// StatusDatagram is one round of latest values, or a part of a round. Seq counts the datagrams of a session from 1, so that a
// gap means a lost datagram.
type StatusDatagram struct {
	Epoch   uint32
	Seq     uint64
	Records []StatusRecord
}

// StatusRecord has the values of an agent that change often.
type StatusRecord struct {
	Num       uint32
	Rev       uint32
	Status    Status
	Activity  Activity
	Reason    Reason
	Processes int           // 255 stands for more
	CPU       float64       // cores; at most 65.535
	RSS       int64         // bytes; whole KiB
	ExitCode  int           // meaningful when Status is exited
	Heartbeat time.Duration // since the last sign of life
	LastSeq   uint64
}

// EpochHash returns the short form of an epoch in datagrams.
func EpochHash(epoch string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(epoch))
	return h.Sum32()
}

// StatusRecord returns the present values of the agent that change often.
func (a *Agent) StatusRecord(now time.Time) StatusRecord {
	r := StatusRecord{Num: a.Num, Rev: a.Rev, Status: a.Status, Activity: a.Activity, Reason: a.Reason,
		Processes: a.Usage.Processes, CPU: a.Usage.CPU, RSS: a.Usage.RSS, LastSeq: a.LastSeq}
	if a.Exit != nil {
		r.ExitCode = a.Exit.Code
	}
	if a.LastHeartbeat != nil {
		r.Heartbeat = now.Sub(*a.LastHeartbeat)
	}
	return r
}

// Append appends the encoded datagram to b. It panics if there are more than MaxStatusRecords records.
func (d *StatusDatagram) Append(b []byte) []byte {
	if len(d.Records) > MaxStatusRecords {
		panic(fmt.Sprintf("wire: %d records in a status datagram", len(d.Records)))
	}
	b = append(b, DatagramStatus, StatusRecordSize)
	b = binary.BigEndian.AppendUint16(b, uint16(len(d.Records)))
	b = binary.BigEndian.AppendUint32(b, d.Epoch)
	b = binary.BigEndian.AppendUint64(b, d.Seq)
	for _, r := range d.Records {
		b = binary.BigEndian.AppendUint32(b, r.Num)
		b = binary.BigEndian.AppendUint32(b, r.Rev)
		b = append(b, index(Statuses, r.Status), index(Activities, r.Activity), index(Reasons, r.Reason), clamp[uint8](r.Processes))
		b = binary.BigEndian.AppendUint16(b, clamp[uint16](int(math.Round(r.CPU*1000))))
		b = binary.BigEndian.AppendUint16(b, uint16(int16(max(math.MinInt16, min(math.MaxInt16, r.ExitCode)))))
		b = binary.BigEndian.AppendUint32(b, clamp[uint32](int(r.RSS>>10)))
		b = binary.BigEndian.AppendUint32(b, clamp[uint32](int(r.Heartbeat.Milliseconds())))
		b = binary.BigEndian.AppendUint64(b, r.LastSeq)
	}
	return b
}

// StampStatus sets the seq of an encoded datagram, which it returns.
func StampStatus(b []byte, seq uint64) []byte {
	binary.BigEndian.PutUint64(b[8:], seq)
	return b
}

// ErrDatagram is wrapped by every error of ParseStatusDatagram.
var ErrDatagram = errors.New("bad status datagram")

// ParseStatusDatagram decodes a datagram. It ignores the end of records that are longer than those of this version, so that
// later versions can add fields.
func ParseStatusDatagram(b []byte) (StatusDatagram, error) {
	var d StatusDatagram
	if len(b) < StatusHeaderSize {
		return d, fmt.Errorf("%w: %d bytes", ErrDatagram, len(b))
	}
	if b[0] != DatagramStatus {
		return d, fmt.Errorf("%w: kind %d", ErrDatagram, b[0])
	}
	size, count := int(b[1]), int(binary.BigEndian.Uint16(b[2:]))
	if size < StatusRecordSize {
		return d, fmt.Errorf("%w: records of %d bytes", ErrDatagram, size)
	}
	if len(b) != StatusHeaderSize+size*count {
		return d, fmt.Errorf("%w: %d bytes for %d records of %d", ErrDatagram, len(b), count, size)
	}
	d.Epoch = binary.BigEndian.Uint32(b[4:])
	d.Seq = binary.BigEndian.Uint64(b[8:])
	d.Records = make([]StatusRecord, 0, count)
	for b = b[StatusHeaderSize:]; len(b) > 0; b = b[size:] {
		r, err := parseStatusRecord(b)
		if err != nil {
			return d, err
		}
		d.Records = append(d.Records, r)
	}
	return d, nil
}

func parseStatusRecord(b []byte) (r StatusRecord, err error) {
	if int(b[8]) >= len(Statuses) || int(b[9]) >= len(Activities) || int(b[10]) >= len(Reasons) {
		return r, fmt.Errorf("%w: status %d, activity %d, reason %d", ErrDatagram, b[8], b[9], b[10])
	}
	return StatusRecord{
		Num:       binary.BigEndian.Uint32(b),
		Rev:       binary.BigEndian.Uint32(b[4:]),
		Status:    Statuses[b[8]],
		Activity:  Activities[b[9]],
		Reason:    Reasons[b[10]],
		Processes: int(b[11]),
		CPU:       float64(binary.BigEndian.Uint16(b[12:])) / 1000,
		ExitCode:  int(int16(binary.BigEndian.Uint16(b[14:]))),
		RSS:       int64(binary.BigEndian.Uint32(b[16:])) << 10,
		Heartbeat: time.Duration(binary.BigEndian.Uint32(b[20:])) * time.Millisecond,
		LastSeq:   binary.BigEndian.Uint64(b[24:]),
	}, nil
}

func index[T comparable](all []T, v T) uint8 { return uint8(max(0, slices.Index(all, v))) }

func clamp[T uint8 | uint16 | uint32](v int) T {
	return T(max(0, min(v, int(^T(0)))))
}
