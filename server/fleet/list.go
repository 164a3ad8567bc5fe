package fleet

import (
	"cmp"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// List returns the agents that match, newest first, starting after w.After. It returns at most w.Limit of them, or all if
// w.Limit is 0. It visits the agents that the filter may let through; without a filter, only those of the page.
func (f *Fleet) List(w wire.Filter) wire.ListResult {
	if len(w.IDs)+len(w.Types)+len(w.Status)+len(w.Labels) == 0 && !w.Needs && w.Query == "" {
		return f.page(w.After, w.Limit)
	}
	res := wire.ListResult{Agents: []wire.Agent{}}
	all := f.candidates(&w)
	end := before(all, w.After)
	for i, a := range slices.Backward(all) {
		full := w.Limit > 0 && len(res.Agents) == w.Limit
		onto := &res.Agents
		if full || i >= end {
			onto = nil
		}
		if !a.matches(&w, onto) {
			continue
		}
		res.Total++
		if full {
			res.Next = res.Agents[w.Limit-1].Num
		}
	}
	return res
}

// page is List without a filter.
func (f *Fleet) page(after uint32, limit int) wire.ListResult {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := f.agents.byNum
	end := before(all, after)
	begin := 0
	if limit > 0 {
		begin = max(0, end-limit)
	}
	res := wire.ListResult{Agents: make([]wire.Agent, 0, end-begin), Total: len(all)}
	for _, a := range slices.Backward(all[begin:end]) {
		res.Agents = append(res.Agents, a.record())
	}
	if begin > 0 {
		res.Next = all[begin].num
	}
	return res
}

// candidates are the agents that a filter may let through, by number.
func (f *Fleet) candidates(w *wire.Filter) (all []*agent) {
	switch {
	case len(w.IDs) > 0:
		f.mu.RLock()
		for _, id := range w.IDs {
			if a := f.agents.byID[id]; a != nil {
				all = append(all, a)
			}
		}
		f.mu.RUnlock()
	case len(w.Status) > 0 && !slices.ContainsFunc(w.Status, func(s wire.Status) bool { return !s.Alive() }):
		all = f.living()
	default:
		return f.all()
	}
	slices.SortFunc(all, func(a, b *agent) int { return cmp.Compare(a.num, b.num) })
	return slices.Compact(all)
}

// matches reports whether a filter lets the agent through; then it adds the record to a list, unless that is nil.
func (a *agent) matches(w *wire.Filter, onto *[]wire.Agent) bool {
	if len(w.Types) > 0 && !slices.Contains(w.Types, a.typ) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !match(w, &a.rec) {
		return false
	}
	if onto != nil {
		*onto = append(*onto, a.rec)
	}
	return true
}

func match(f *wire.Filter, a *wire.Agent) bool {
	if len(f.Status) > 0 && !slices.Contains(f.Status, a.Status) {
		return false
	}
	if f.Needs && !a.NeedsAttention() {
		return false
	}
	for k, v := range f.Labels {
		if a.Labels[k] != v {
			return false
		}
	}
	if f.Query == "" {
		return true
	}
	hay := strings.Join(append([]string{string(a.ID), a.Name, a.Type, a.Summary, a.LastLine}, a.Argv...), "\n")
	return strings.Contains(strings.ToLower(hay), strings.ToLower(f.Query))
}
