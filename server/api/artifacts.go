package api

import (
	"context"
	"slices"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// artifact returns an artifact that the caller may see: others are as if they were not there.
func (a *API) artifact(_ context.Context, by noun.Caller, v wire.ArtifactParams) (any, error) {
	f, err := a.plane.Artifacts.Get(v.ID)
	if err == nil && by.Artifacts != nil && !by.Artifacts(f) {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no artifact %q that is yours, or of your tasks", v.ID).WithField("id")
	}
	return f, err
}

func (a *API) readArtifact(ctx context.Context, by noun.Caller, v wire.ArtifactReadParams) (any, error) {
	if _, err := a.artifact(ctx, by, wire.ArtifactParams{ID: v.ID}); err != nil {
		return nil, err
	}
	return a.plane.Artifacts.Read(ctx, v)
}

func (a *API) listArtifacts(_ context.Context, by noun.Caller, v wire.ArtifactFilter) (any, error) {
	if by.Artifacts == nil {
		return a.plane.Artifacts.List(v).Page(v.Limit), nil
	}
	limit := v.Limit
	v.Limit = 0
	res := a.plane.Artifacts.List(v)
	all := len(res.Artifacts)
	res.Artifacts = slices.DeleteFunc(res.Artifacts, func(f wire.Artifact) bool { return !by.Artifacts(f) })
	res.Total -= all - len(res.Artifacts)
	res.Bytes = 0
	for i := range res.Artifacts {
		res.Bytes += res.Artifacts[i].Received
	}
	return res.Page(limit), nil
}

// concerns reports whether an artifact is an agent's: it made it, or it works on the task that it is of, or on one that depends on that task or
// is a part of it.
func (a *API) concerns(id wire.AgentID, f wire.Artifact) bool {
	if f.Agent == id {
		return true
	}
	rec, err := a.plane.Get(id)
	if err != nil || f.Task == "" {
		return false
	}
	for _, t := range append(slices.Clone(rec.Tasks), rec.ForTask) {
		if t == f.Task {
			return true
		}
		task, err := a.plane.Tasks.Get(t)
		if err == nil && (task.Parent == f.Task || slices.Contains(task.DependsOn, string(f.Task))) {
			return true
		}
	}
	return false
}
