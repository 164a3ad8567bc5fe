package wire

// Network answers session.network: the path of the session that asks, as the server sees it. What a transport does not tell is
// left out: WebSocket knows no packets and no window.
type Network struct {
	Transport        Transport     `json:"transport"`
	Remote           string        `json:"remote,omitempty"` // the client's address; a proxy's, where there is one
	RTTMS            float64       `json:"rtt_ms,omitempty"` // smoothed; 0: not measured yet
	MinRTTMS         float64       `json:"min_rtt_ms,omitempty"`
	CongestionWindow uint64        `json:"congestion_window,omitempty"` // bytes the server may have in flight
	BytesSent        uint64        `json:"bytes_sent"`                  // by the server, with all that the transport adds
	BytesReceived    uint64        `json:"bytes_received"`
	PacketsSent      uint64        `json:"packets_sent,omitempty"` // those that are sent twice count once
	PacketsReceived  uint64        `json:"packets_received,omitempty"`
	PacketsLost      uint64        `json:"packets_lost,omitempty"` // of those sent
	Mask             *Mask         `json:"mask,omitempty"`         // nil: the transport has no loss masking
	Lanes            []LaneTraffic `json:"lanes"`                  // every lane, in the order of Lanes
}

// Mask is whether the server sends packets of a session twice, to hide loss.
type Mask struct {
	On        bool    `json:"on"`
	Copies    int     `json:"copies,omitempty"`     // of each packet, while it is on
	SpacingMS float64 `json:"spacing_ms,omitempty"` // before each copy
	Repeated  uint64  `json:"repeated"`             // copies that were sent
	Reason    string  `json:"reason,omitempty"`     // why it is off, in words for a person
}

// LaneTraffic is what a session's lanes of one name moved, together; headers count.
type LaneTraffic struct {
	Lane        Lane    `json:"lane"`
	Class       string  `json:"class"`
	Streams     int     `json:"streams"`  // open now
	BytesIn     uint64  `json:"bytes_in"` // from the client
	BytesOut    uint64  `json:"bytes_out"`
	WaitedInMS  float64 `json:"waited_in_ms,omitempty"` // for the rate
	WaitedOutMS float64 `json:"waited_out_ms,omitempty"`
	Rate        int64   `json:"rate,omitempty"`        // bytes a second each way, of an agent lane each; 0: no bound
	Writers     int     `json:"writers,omitempty"`     // writes of the lane's class that are under way
	MaxWriters  int     `json:"max_writers,omitempty"` // 0: no bound
}
