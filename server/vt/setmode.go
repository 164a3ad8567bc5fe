package vt

// setModes sets or resets modes. It shows viewers those that it knows.
func (s *Screen) setModes(private bool, ps params, on bool) bool {
	for _, p := range ps {
		if n := p.or(0); s.setMode(private, n, on) {
			s.out.Show = appendMode(s.out.Show, private, n, on)
		}
	}
	return false
}

func (s *Screen) setMode(private bool, n int, on bool) (known bool) {
	m := &s.modes
	if !private {
		switch n {
		case 4:
			m.insert = on
		case 20:
			m.newline = on // viewers get the carriage returns
			return false
		default:
			return false
		}
		return true
	}
	if flag := m.flag(n); flag != nil {
		*flag = on
		return true
	}
	switch n {
	case 6:
		m.origin = on // viewers get positions on the screen: terminals don't agree on what else it means
		s.to(0, 0)
		s.out.Show = appendPosition(s.out.Show, s.g.x, s.g.y)
		return false
	case 25:
		m.hidden = !on
	case 9, 1000, 1002, 1003:
		m.mouse = when(on, n)
	case 1006, 1016:
		m.encoding = when(on, n)
	case 47, 1047, 1048, 1049:
		s.alternateMode(n, on)
		return false
	default:
		return false
	}
	return true
}

// alternateMode switches between the screens; 1048 and 1049 save and restore the cursor. Viewers only see the screen change.
func (s *Screen) alternateMode(n int, on bool) {
	to := &s.primary
	if on {
		to = &s.alternate
		if n >= 1048 {
			s.save()
		}
	}
	if n != 1048 && s.g != to {
		s.switchTo(to)
		s.out.Show = appendMode(s.out.Show, true, 1047, on)
		s.out.Show = s.appendCursor(s.out.Show) // in some terminals the screens share their region
		s.showKitty()
	}
	if !on && n >= 1048 {
		s.restore()
	}
}

// keyboard carries out the sequences of the kitty keyboard protocol: push, pop, set.
func (s *Screen) keyboard(prefix byte, ps params) {
	k := s.kitty()
	switch prefix {
	case '>':
		k.stack = append(k.stack, k.flags)
		if len(k.stack) > maxKitty {
			k.stack = k.stack[1:]
		}
		k.flags = ps.at(0, 0) & kittyFlags
	case '<':
		for range min(ps.count(0), len(k.stack)+1) {
			k.flags = 0
			if n := len(k.stack); n > 0 {
				k.flags, k.stack = k.stack[n-1], k.stack[:n-1]
			}
		}
	case '=':
		flags := ps.at(0, 0) & kittyFlags
		switch ps.at(1, 1) {
		case 1:
			k.flags = flags
		case 2:
			k.flags |= flags
		case 3:
			k.flags &^= flags
		}
	}
	s.showKitty()
}
