package vt

import (
	"strconv"
	"strings"
)

// finished takes a control string that has ended.
func (s *Screen) finished(kind byte, text, end string) {
	switch kind {
	case 'P':
		s.device(text)
	case ']':
		number, rest, _ := strings.Cut(text, ";")
		s.command(number, rest, end)
	}
}

// command carries out an operating system command. Viewers get hyperlinks and nothing else; clipboards (OSC 52), colours and
// working folders are ignored.
func (s *Screen) command(number, text, end string) {
	switch number {
	case "0", "2":
		s.note(Note{Kind: Title, Text: oneLine(text, maxTitle)})
	case "4":
		s.palettes(text, end)
	case "8":
		s.hyperlink(text)
	case "9":
		s.nine(text)
	case "10", "11", "12":
		if text == "?" {
			rgb := s.palette.Foreground
			if number == "11" {
				rgb = s.palette.Background
			}
			s.colour(number, rgb, end)
		}
	case "99":
		s.kittyNotification(text)
	case "133":
		if text == "A" || strings.HasPrefix(text, "A;") {
			s.note(Note{Kind: Prompt})
		}
	case "777":
		if rest, ok := strings.CutPrefix(text, "notify;"); ok {
			title, body, _ := strings.Cut(rest, ";")
			s.notify(title, body)
		}
	case "7501":
		s.programStatus(text, end)
	}
}

// palettes answers queries for colours of the palette.
func (s *Screen) palettes(text, end string) {
	parts := strings.Split(text, ";")
	for i := 0; i+1 < len(parts); i += 2 {
		if n, err := strconv.Atoi(parts[i]); err == nil && n >= 0 && n < 256 && parts[i+1] == "?" {
			s.colour("4;"+strconv.Itoa(n), indexed(n), end)
		}
	}
}

// hyperlink begins or ends a link: parameters, and an address (OSC 8).
func (s *Screen) hyperlink(text string) {
	_, address, ok := strings.Cut(text, ";")
	if !ok {
		return
	}
	s.link, s.text = 0, false
	if linkable(address) {
		s.link = s.pool.linkTo(address)
	}
	s.out.Show = s.appendLink(s.out.Show, s.link)
}

// linkable reports whether viewers may be offered an address.
func linkable(address string) bool {
	if len(address) > 2000 {
		return false
	}
	for _, scheme := range []string{"https://", "http://", "mailto:"} {
		if len(address) > len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			return oneLine(address, len(address)) == address
		}
	}
	return false
}

// nine is a notification, or, as 4, progress (ConEmu's OSC 9;4).
func (s *Screen) nine(text string) {
	rest, progress := strings.CutPrefix(text, "4;")
	if !progress {
		if text != "4" {
			s.notify(text, "")
		}
		return
	}
	state, value, _ := strings.Cut(rest, ";")
	percent, _ := strconv.Atoi(value)
	n := Note{Kind: Progress, Percent: clamp(percent, 0, 100)}
	switch state {
	case "0":
		n.Percent = -1
	case "1", "4":
	case "2":
		n.Failed = true
	case "3":
		n.Percent = -2
	default:
		return
	}
	s.note(n)
}

func (s *Screen) notify(title, body string) {
	text := oneLine(title, maxNote)
	if b := oneLine(body, maxNote); b != "" {
		text = strings.TrimPrefix(text+": "+b, ": ")
	}
	if text != "" {
		s.note(Note{Kind: Notification, Text: text})
	}
}

// kittyNotification takes a desktop notification of kitty (OSC 99): metadata, and a payload. One in several parts counts with its first.
func (s *Screen) kittyNotification(text string) {
	meta, payload, _ := strings.Cut(text, ";")
	for pair := range strings.SplitSeq(meta, ":") {
		switch key, value, _ := strings.Cut(pair, "="); {
		case key == "p" && value != "title" && value != "body", key == "e" && value == "1": // a query, an icon; base64
			return
		}
	}
	s.notify(payload, "")
}

// programStatus answers the query whether the protocol is known, with the query itself, or takes a report.
func (s *Screen) programStatus(text, end string) {
	if strings.TrimSpace(text) == "?" {
		s.answer("\x1b]7501;?%s", end)
		return
	}
	if st, ok := parseStatus(text); ok {
		s.note(Note{Kind: Report, Status: st})
	}
}
