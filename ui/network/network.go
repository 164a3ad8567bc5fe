package network

import (
	"strconv"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// NetworkView is the page of the connection between this browser and the server.
type NetworkView struct {
	frame.Frame
	Endpoints []Endpoint
	Remote    string             // where the page's request came from
	Lanes     []wire.LaneTraffic // with their bounds; what they moved comes with the session
	MaskOff   bool               // no connection's loss is masked
}

// Endpoint is a way in, as the page's browser reaches it.
type Endpoint struct {
	Transport wire.Transport
	URL       string
	Over      string // such as "UDP, port 4433"
}

func (v NetworkView) page() frame.Page {
	return v.Frame.Page("Network", "network.js", "/network", true)
}

// TransportWord is a transport's name for people.
func TransportWord(t wire.Transport) string {
	switch t {
	case wire.WebTransport:
		return "WebTransport"
	case wire.WebSocket:
		return "WebSocket"
	}
	return string(t)
}

// RateText is a bound in bytes a second, as the configuration writes it.
func RateText(rate int64, lane wire.Lane) string {
	if rate <= 0 {
		return "unlimited"
	}
	text := ""
	for _, u := range []struct {
		word string
		of   int64
	}{{"GB/s", 1e9}, {"MB/s", 1e6}, {"KB/s", 1e3}, {"B/s", 1}} {
		if rate >= u.of {
			text = strconv.FormatFloat(float64(rate)/float64(u.of), 'f', -1, 64) + " " + u.word
			break
		}
	}
	if lane == wire.LaneAgent {
		text += " each"
	}
	return text
}

// WritersText is how many writes of a lane's class are under way, of how many that may be.
func WritersText(l wire.LaneTraffic) string {
	if l.MaxWriters == 0 {
		return "unlimited"
	}
	return strconv.Itoa(l.Writers) + " of " + strconv.Itoa(l.MaxWriters)
}

func maskText(off bool) string {
	if off {
		return "Turned off on this server."
	}
	return "On a WebTransport session, while it is thin and loses packets."
}
