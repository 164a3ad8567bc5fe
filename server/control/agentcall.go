package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// agentCall carries out a request that an agent made on the line protocol, with what its type allows.
// ctx ends with the agent's process.
func (p *Plane) agentCall(ctx context.Context, a wire.Agent, method string, params json.RawMessage) (any, error) {
	typ := p.types[a.Type]
	by := noun.Caller{Actor: string(a.ID)}
	switch {
	case strings.HasPrefix(method, "memory."):
		return p.Memory.Call(p.ctx, by, namespaces(typ.Memory), method, params)
	case strings.HasPrefix(method, "task.") && typ.Coordinator:
		return p.coordinate(ctx, by, method, params)
	case strings.HasPrefix(method, "task."):
		return nil, wire.Errorf(wire.CodeUnauthorized, "agents of type %q may not give tasks to others (its configuration lacks coordinator: true)", typ.Name)
	}
	return nil, wire.Errorf(wire.CodeMethodNotFound, "there is no method %q for agents", method)
}

// namespaces reports whether a namespace is among those that a type's memory list names: by name, or, with a * at the
// end, all that begin like that.
func namespaces(list []string) func(namespace string) bool {
	return func(namespace string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool {
			begin, open := strings.CutSuffix(pattern, "*")
			return namespace == pattern || open && strings.HasPrefix(namespace, begin)
		})
	}
}

// coordinate serves an agent that gives tasks to others.
// What it begins goes on without it; what it waits for does not.
func (p *Plane) coordinate(ctx context.Context, by noun.Caller, method string, params json.RawMessage) (any, error) {
	switch method {
	case wire.MethodTaskSubmit:
		return noun.With(params, func(v wire.SubmitParams) (any, error) { return p.Tasks.Submit(p.ctx, by, v) })
	case wire.MethodTaskOrchestrate:
		return noun.With(params, func(v wire.OrchestrateParams) (any, error) { return p.Tasks.Orchestrate(p.ctx, by, v) })
	case wire.MethodTaskGet:
		return noun.With(params, func(v wire.TaskParams) (any, error) { return p.Tasks.Get(v.ID) })
	case wire.MethodTaskList:
		return noun.With(params, func(v wire.TaskFilter) (any, error) { return p.Tasks.List(v).Page(v.Limit), nil })
	case wire.MethodTaskCancel:
		return noun.With(params, func(v wire.TaskCancelParams) (any, error) { return p.Tasks.Cancel(by, v) })
	case wire.MethodTaskWait:
		return noun.With(params, func(v wire.TaskParams) (any, error) { return p.Tasks.Wait(ctx, v.ID) })
	}
	return nil, wire.Errorf(wire.CodeMethodNotFound, "there is no method %q for agents", method)
}
