package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// CallAgent carries out a request that an agent makes itself, if its type allows that. ctx ends with the process of the
// agent: a request that waits ends too, but what it has started continues. An agent sends each request once, on one pipe,
// so no reply is kept.
func (a *API) CallAgent(ctx context.Context, agent wire.Agent, method string, params json.RawMessage) (any, error) {
	select {
	case <-a.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	typ, _ := a.plane.Type(agent.Type)
	if err := mayAgent(typ, method); err != nil {
		return nil, err
	}
	if method == wire.MethodTaskWait {
		return noun.With(params, func(v wire.TaskParams) (any, error) { return a.plane.Tasks.Wait(ctx, v.ID) })
	}
	if method == wire.MethodSummary {
		return noun.With(params, func(v wire.SummaryParams) (any, error) { return a.summarizes(agent.ID, v) })
	}
	by := noun.Caller{Actor: string(agent.ID), Namespaces: namespaces(typ.Memory)}
	if !typ.Coordinator {
		by.Artifacts = func(f wire.Artifact) bool { return a.concerns(agent.ID, f) }
	}
	return a.methods[method](context.WithoutCancel(ctx), by, params)
}

// summarizes sets the summary of an agent, which may set no other's.
func (a *API) summarizes(own wire.AgentID, v wire.SummaryParams) (any, error) {
	if v.ID != "" && v.ID != own {
		return nil, wire.Errorf(wire.CodeUnauthorized, "an agent may say only what it does itself: leave id out").WithField("id")
	}
	v.ID = own
	return a.plane.Summarize(v)
}

// mayAgent returns an error for a method that agents of a type must not use.
func mayAgent(typ wire.AgentType, method string) error {
	m := wire.MethodNamed(method)
	coordinates := method == wire.MethodTaskWait || m != nil && m.Agents == wire.Coordinators
	switch {
	case coordinates && typ.Coordinator, m != nil && (m.Agents == wire.WithMemory || m.Agents == wire.WithTasks):
		return nil
	case strings.HasPrefix(method, "task.") && !typ.Coordinator:
		return wire.Errorf(wire.CodeUnauthorized, "agents of type %q may not give tasks to others (its configuration lacks coordinator: true)", typ.Name)
	}
	return wire.Errorf(wire.CodeMethodNotFound, "there is no method %.64q for agents", method).WithSupported(agentMethods(typ))
}

// agentMethods are the methods that agents of a type may use.
func agentMethods(typ wire.AgentType) (names []string) {
	for _, m := range wire.Methods {
		if m.Agents == wire.WithMemory || m.Agents == wire.WithTasks || m.Agents == wire.Coordinators && typ.Coordinator {
			names = append(names, m.Name)
		}
	}
	if typ.Coordinator {
		names = append(names, wire.MethodTaskWait)
	}
	return names
}

// namespaces reports whether the memory list of a type includes a namespace: by its name, or by a prefix that is followed
// by *.
func namespaces(list []string) func(namespace string) bool {
	return func(namespace string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool {
			begin, open := strings.CutSuffix(pattern, "*")
			return namespace == pattern || open && strings.HasPrefix(namespace, begin)
		})
	}
}
