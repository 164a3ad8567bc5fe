package api

import (
	"context"
	"encoding/json"
	"errors"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// table has the function that carries out each method.
func (a *API) table() map[string]does {
	p, tasks, files := a.plane, a.plane.Tasks, a.plane.Artifacts
	all := map[string]does{
		wire.MethodPing: reads(func(_ context.Context, v wire.Ping) (any, error) { return v, nil }),

		wire.MethodTypes: reads(func(_ context.Context, v wire.TypesParams) (any, error) {
			return wire.TypesResult{Types: p.Types()}.Page(v.After), nil
		}),
		wire.MethodList: reads(func(_ context.Context, f wire.Filter) (any, error) {
			if err := f.Check(); err != nil {
				return nil, err
			}
			return p.List(f).Page(f.Limit), nil
		}),
		wire.MethodGet:         reads(func(_ context.Context, v wire.AgentParams) (any, error) { return p.Get(v.ID) }),
		wire.MethodAgentEvents: reads(func(ctx context.Context, v wire.AgentEventsParams) (any, error) { return p.EventPage(ctx, v) }),
		wire.MethodAgentSearch: reads(func(ctx context.Context, v wire.AgentSearchParams) (any, error) { return p.Search(ctx, v) }),
		wire.MethodLogSearch:   reads(func(ctx context.Context, v wire.LogSearchParams) (any, error) { return p.SearchAll(ctx, v) }),
		wire.MethodFleetAt:     reads(func(ctx context.Context, v wire.FleetAtParams) (any, error) { return p.At(ctx, v) }),
		wire.MethodSpawn:       acts(func(ctx context.Context, by noun.Caller, v wire.SpawnParams) (any, error) { return p.Spawn(ctx, by, v) }),
		wire.MethodStop: acts(func(ctx context.Context, by noun.Caller, v wire.StopParams) (any, error) {
			return p.Stop(context.WithoutCancel(ctx), by, v) // the stop continues without the client, which may repeat the request in its next session
		}),
		wire.MethodAskList: reads(func(ctx context.Context, v wire.AskListParams) (any, error) { return a.pages.Asks(ctx, v) }),
		wire.MethodAskGet:  reads(func(_ context.Context, v wire.AskParams) (any, error) { return p.Asks.Get(v.ID) }),
		wire.MethodAskAnswer: acts(func(ctx context.Context, by noun.Caller, v wire.AskAnswerParams) (any, error) {
			return p.Asks.Answer(ctx, by, v)
		}),
		wire.MethodDrop:  acts(func(_ context.Context, by noun.Caller, v wire.DropParams) (any, error) { return p.Drop(by.Actor, v) }),
		wire.MethodPause: acts(func(ctx context.Context, by noun.Caller, v wire.PauseParams) (any, error) { return p.Pause(ctx, by, v) }),
		wire.MethodGoOn: acts(func(ctx context.Context, by noun.Caller, v wire.ResumeParams) (any, error) {
			return p.Resume(ctx, by, v)
		}),
		wire.MethodRestart: acts(func(ctx context.Context, by noun.Caller, v wire.RestartParams) (any, error) {
			return p.Restart(context.WithoutCancel(ctx), by, v) // it continues without the client
		}),
		wire.MethodRemove: acts(func(ctx context.Context, by noun.Caller, v wire.RemoveParams) (any, error) {
			return p.Remove(ctx, by, v)
		}),
		wire.MethodSummary: reads(func(_ context.Context, v wire.SummaryParams) (any, error) { return p.Summarize(v) }),
		wire.MethodOptions: reads(func(_ context.Context, v wire.AgentParams) (any, error) { return p.Options(v.ID) }),
		wire.MethodConfigure: acts(func(ctx context.Context, by noun.Caller, v wire.ConfigureParams) (any, error) {
			return p.Configure(ctx, by.Actor, v)
		}),
		wire.MethodSessions: reads(func(ctx context.Context, v wire.SessionsParams) (any, error) { return p.Sessions(ctx, v) }),
		wire.MethodUsage:    reads(func(_ context.Context, v wire.UsageParams) (any, error) { return p.Usage.List(v) }),
		wire.MethodChanges:  reads(func(ctx context.Context, v wire.ChangesParams) (any, error) { return p.ChangesOf(ctx, v) }),
		wire.MethodDiff:     reads(func(ctx context.Context, v wire.DiffParams) (any, error) { return p.DiffOf(ctx, v) }),
		wire.MethodCommit: acts(func(ctx context.Context, by noun.Caller, v wire.CommitParams) (any, error) {
			return p.Commit(context.WithoutCancel(ctx), by, v)
		}),
		wire.MethodDiscard: acts(func(ctx context.Context, by noun.Caller, v wire.DiscardParams) (any, error) {
			return p.Discard(context.WithoutCancel(ctx), by, v)
		}),
		wire.MethodInput:     acts(a.input),
		wire.MethodAdmission: func(context.Context, noun.Caller, json.RawMessage) (any, error) { return p.Admission(), nil },
		wire.MethodSetAdmission: acts(func(ctx context.Context, by noun.Caller, v wire.AdmissionParams) (any, error) {
			return p.SetAdmission(ctx, by, v)
		}),

		wire.MethodArtifactCreate: acts(func(ctx context.Context, by noun.Caller, v wire.ArtifactCreateParams) (any, error) {
			return files.Create(ctx, by, v)
		}),
		wire.MethodArtifactDelete: acts(func(ctx context.Context, _ noun.Caller, v wire.ArtifactParams) (any, error) {
			return struct{}{}, files.Delete(ctx, v.ID)
		}),
		wire.MethodArtifactGet:  acts(a.artifact),
		wire.MethodArtifactList: acts(a.listArtifacts),
		wire.MethodArtifactRead: acts(a.readArtifact),

		wire.MethodTaskGet:  reads(func(_ context.Context, v wire.TaskParams) (any, error) { return tasks.Get(v.ID) }),
		wire.MethodTaskList: reads(func(_ context.Context, v wire.TaskFilter) (any, error) { return tasks.List(v).Page(v.Limit), nil }),
		wire.MethodTaskSubmit: acts(func(ctx context.Context, by noun.Caller, v wire.SubmitParams) (any, error) {
			return tasks.Submit(ctx, by, v)
		}),
		wire.MethodTaskOrchestrate: acts(func(ctx context.Context, by noun.Caller, v wire.OrchestrateParams) (any, error) {
			return tasks.Orchestrate(ctx, by, v)
		}),
		wire.MethodTaskCancel: acts(func(_ context.Context, by noun.Caller, v wire.TaskCancelParams) (any, error) {
			return tasks.Cancel(by, v)
		}),
		wire.MethodTaskRetry: acts(func(_ context.Context, by noun.Caller, v wire.TaskParams) (any, error) { return tasks.Retry(by, v.ID) }),

		wire.MethodScheduleSet: acts(func(ctx context.Context, by noun.Caller, v wire.ScheduleSetParams) (any, error) {
			return p.Schedules.Set(ctx, by, v)
		}),
		wire.MethodScheduleList: reads(func(ctx context.Context, v wire.ScheduleListParams) (any, error) { return a.pages.Schedules(ctx, v) }),
		wire.MethodScheduleGet:  reads(func(_ context.Context, v wire.ScheduleParams) (any, error) { return p.Schedules.Get(v.ID) }),
		wire.MethodScheduleDelete: acts(func(ctx context.Context, _ noun.Caller, v wire.ScheduleParams) (any, error) {
			return struct{}{}, p.Schedules.Delete(ctx, v.ID)
		}),
		wire.MethodSchedulePause: acts(func(ctx context.Context, by noun.Caller, v wire.ScheduleParams) (any, error) {
			return p.Schedules.Pause(ctx, by, v.ID, true)
		}),
		wire.MethodScheduleResume: acts(func(ctx context.Context, by noun.Caller, v wire.ScheduleParams) (any, error) {
			return p.Schedules.Pause(ctx, by, v.ID, false)
		}),
		wire.MethodScheduleRun: acts(func(ctx context.Context, by noun.Caller, v wire.ScheduleParams) (any, error) {
			return p.Schedules.RunNow(ctx, by, v.ID)
		}),
		wire.MethodSchedulePreview: reads(func(ctx context.Context, v wire.SchedulePreviewParams) (any, error) {
			return a.pages.SchedulePreview(ctx, v)
		}),

		wire.MethodMemoryNamespaces: reads(func(_ context.Context, v wire.MemoryNamespacesParams) (any, error) {
			return p.Memory.Namespaces().Page(v.After), nil
		}),
		wire.MethodMemoryRender: reads(func(ctx context.Context, v wire.MemoryRenderParams) (any, error) { return a.pages.Memory(ctx, v) }),
	}
	for _, m := range wire.MethodsOf(wire.LaneMemory) {
		if all[m] == nil && !wire.NeedsSession(m) {
			all[m] = func(ctx context.Context, by noun.Caller, params json.RawMessage) (any, error) {
				return p.Memory.Call(ctx, by, m, params)
			}
		}
	}
	return all
}

// input writes to an agent and waits until it has read.
func (a *API) input(ctx context.Context, by noun.Caller, v wire.InputParams) (any, error) {
	return a.Input(ctx, by.Actor, v)
}

// Input writes to an agent and waits until it has read or ctx ends.
func (a *API) Input(ctx context.Context, actor string, v wire.InputParams) (any, error) {
	err := a.plane.Input(ctx, actor, v)
	if errors.Is(err, context.DeadlineExceeded) {
		err = wire.Errorf(wire.CodeTimeout, "agent %s did not read its input within %s", v.ID, InputTimeout)
	}
	return struct{}{}, err
}
