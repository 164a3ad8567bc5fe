package vt

import "unicode/utf8"

// pool holds what does not fit a cell: characters of several code points, and the addresses of links.
type pool struct {
	clusters []string
	index    map[string]rune
	links    []string
	linked   map[string]uint16
}

// firstCluster is the rune of the first character of several code points. It is not a code point of Unicode.
const firstCluster = utf8.MaxRune + 1

// cluster returns what stands for a character of several code points in a cell.
func (p *pool) cluster(text string) (r rune, ok bool) {
	if r, ok = p.index[text]; ok {
		return r, true
	}
	if len(p.clusters) == maxClusters || len(text) > maxCluster {
		return 0, false
	}
	if p.index == nil {
		p.index = map[string]rune{}
	}
	r = firstCluster + rune(len(p.clusters))
	p.clusters, p.index[text] = append(p.clusters, text), r
	return r, true
}

// append appends the text of a cell.
func (p *pool) append(b []byte, r rune) []byte {
	switch {
	case r == 0:
		return append(b, ' ')
	case r >= firstCluster:
		return append(b, p.clusters[r-firstCluster]...)
	}
	return utf8.AppendRune(b, r)
}

// linkTo returns what stands for an address in a cell; 0: there is no room for it.
func (p *pool) linkTo(address string) uint16 {
	if n, ok := p.linked[address]; ok {
		return n
	}
	if len(p.links) == maxLinks {
		return 0
	}
	if p.linked == nil {
		p.linked = map[string]uint16{}
	}
	p.links = append(p.links, address)
	n := uint16(len(p.links))
	p.linked[address] = n
	return n
}
