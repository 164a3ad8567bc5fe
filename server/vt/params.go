package vt

import "bytes"

// params are the parameters of a control sequence.
type params []param

type param struct {
	n   int   // -1: left out
	sub []int // what follows it after colons
}

// or returns the parameter, or what it is if it was left out.
func (p param) or(missing int) int {
	if p.n < 0 {
		return missing
	}
	return p.n
}

// at returns a parameter, or what it is if it was left out. For most sequences 0 means the same.
func (ps params) at(i, missing int) int {
	if i >= len(ps) {
		return missing
	}
	return ps[i].or(missing)
}

// count returns a parameter that is at least 1.
func (ps params) count(i int) int { return max(1, ps.at(i, 1)) }

const (
	maxParams = 32
	maxParam  = 1 << 16
)

// parse splits what stands before a final byte into a private prefix such as '?', the parameters, and the intermediate bytes.
func parse(b []byte) (prefix byte, ps params, inter string, ok bool) {
	if len(b) > 0 && b[0] >= '<' && b[0] <= '?' {
		prefix, b = b[0], b[1:]
	}
	end := len(b)
	if i := bytes.IndexFunc(b, func(r rune) bool { return r < 0x30 }); i >= 0 {
		end = i
	}
	inter, b = string(b[end:]), b[:end]
	cur, colon := param{n: -1}, false
	put := func(d int) {
		n := &cur.n
		if colon {
			n = &cur.sub[len(cur.sub)-1]
		}
		*n = min(max(*n, 0)*10+d, maxParam)
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			put(int(c - '0'))
		case c == ':':
			colon = true
			if len(cur.sub) == 8 {
				return 0, nil, "", false
			}
			cur.sub = append(cur.sub, 0)
		case c == ';':
			if len(ps) == maxParams {
				return 0, nil, "", false
			}
			ps = append(ps, cur)
			cur, colon = param{n: -1}, false
		default:
			return 0, nil, "", false
		}
	}
	for _, c := range inter {
		if c >= 0x30 {
			return 0, nil, "", false
		}
	}
	if len(b) > 0 {
		ps = append(ps, cur)
	}
	return prefix, ps, inter, true
}
