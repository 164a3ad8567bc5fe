package artifacts

import (
	"cmp"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// List returns the artifacts that match, newest first, starting after f.After. It returns at most f.Limit of them, or all
// if f.Limit is 0.
func (as *Artifacts) List(f wire.ArtifactFilter) wire.ArtifactListResult {
	res := wire.ArtifactListResult{}
	res.Artifacts, res.Bytes = as.matching(&f)
	res.Total = len(res.Artifacts)
	if f.After != "" {
		res.Artifacts = slices.DeleteFunc(res.Artifacts, func(a wire.Artifact) bool { return a.Cursor() >= f.After })
	}
	if f.Limit > 0 && f.Limit < len(res.Artifacts) {
		res.Artifacts, res.Next = res.Artifacts[:f.Limit], res.Artifacts[f.Limit-1].Cursor()
	}
	return res
}

// matching returns the artifacts that match, newest first, and how many bytes all artifacts have.
func (as *Artifacts) matching(f *wire.ArtifactFilter) (all []wire.Artifact, bytes int64) {
	all = []wire.Artifact{}
	as.mu.Lock()
	for _, a := range as.all {
		bytes += a.rec.Received
		if matches(f, &a.rec) {
			all = append(all, a.rec)
		}
	}
	as.mu.Unlock()
	slices.SortFunc(all, func(a, b wire.Artifact) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return all, bytes
}

func matches(f *wire.ArtifactFilter, a *wire.Artifact) bool {
	if f.Task != "" && a.Task != f.Task || f.Agent != "" && a.Agent != f.Agent {
		return false
	}
	return strings.Contains(strings.ToLower(string(a.ID)+"\n"+a.Name), strings.ToLower(f.Query))
}

// Place is where an artifact stands in a list.
type Place struct {
	Previous, Next wire.ArtifactID // the newer and the older neighbour; "" for none
	At, Of         int             // its number, from 1, and how many there are; both 0 if it is not in the list
}

// Place returns where an artifact stands among those that match.
func (as *Artifacts) Place(id wire.ArtifactID, f wire.ArtifactFilter) (p Place) {
	all, _ := as.matching(&f)
	i := slices.IndexFunc(all, func(a wire.Artifact) bool { return a.ID == id })
	if i < 0 {
		return p
	}
	p.At, p.Of = i+1, len(all)
	if i > 0 {
		p.Previous = all[i-1].ID
	}
	if i+1 < len(all) {
		p.Next = all[i+1].ID
	}
	return p
}
