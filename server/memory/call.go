package memory

import (
	"context"
	"encoding/json"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// methods lists the methods of Call.
var methods = []string{wire.MethodMemoryStore, wire.MethodMemoryRetrieve, wire.MethodMemoryList, wire.MethodMemorySearch,
	wire.MethodMemoryDelete, wire.MethodMemoryHistory, wire.MethodMemorySetMany, wire.MethodMemoryGetMany}

// Call carries out a request. The error has CodeUnauthorized if the caller may not use the namespace.
func (m *Memory) Call(ctx context.Context, by noun.Caller, method string, params json.RawMessage) (any, error) {
	switch method {
	case wire.MethodMemoryStore:
		return noun.With(params, func(p wire.MemoryStoreParams) (any, error) {
			if err := m.may(by, p.Namespace); err != nil {
				return nil, err
			}
			return m.Store(ctx, by, p)
		})
	case wire.MethodMemoryRetrieve:
		return noun.With(params, func(p wire.MemoryKeyParams) (any, error) {
			if err := m.may(by, p.Namespace); err != nil {
				return nil, err
			}
			return m.Retrieve(ctx, p)
		})
	case wire.MethodMemoryList:
		return noun.With(params, func(p wire.MemoryListParams) (any, error) {
			if err := m.may(by, p.Namespace); err != nil {
				return nil, err
			}
			return m.List(ctx, p)
		})
	case wire.MethodMemorySearch:
		return noun.With(params, func(p wire.MemorySearchParams) (any, error) { return m.Search(ctx, by, p) })
	case wire.MethodMemoryDelete:
		return noun.With(params, func(p wire.MemoryKeyParams) (any, error) {
			if err := m.may(by, p.Namespace); err != nil {
				return nil, err
			}
			return m.Delete(ctx, by, p)
		})
	case wire.MethodMemoryHistory:
		return noun.With(params, func(p wire.MemoryHistoryParams) (any, error) {
			if err := m.may(by, p.Namespace); err != nil {
				return nil, err
			}
			return m.History(ctx, p)
		})
	case wire.MethodMemorySetMany:
		return noun.With(params, func(p wire.MemorySetManyParams) (any, error) {
			if err := checkMany("entries", len(p.Entries)); err != nil {
				return nil, err
			}
			return manyResult(m.setMany(ctx, by, p.Entries))
		})
	case wire.MethodMemoryGetMany:
		return noun.With(params, func(p wire.MemoryGetManyParams) (any, error) {
			if err := checkMany("keys", len(p.Keys)); err != nil {
				return nil, err
			}
			return wire.MemoryManyResult{Results: m.getMany(ctx, by, p.Keys)}, nil
		})
	}
	return nil, wire.Errorf(wire.CodeMethodNotFound, "memory has no method %.64q", method).WithSupported(methods)
}
