package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// maxCapabilities bounds those of a program that dials in.
const maxCapabilities = 64

// Join makes an agent of a program that has dialled in, or finds the agent that it is already, and connects them. The caller then lets
// the link hear what comes. Its error has CodeNotFound if the agent was lost, and CodePrecondition if somebody stopped it.
func (f *Fleet) Join(ctx context.Context, by noun.Caller, j wire.WorkerJoin, to runner.Line) (runner.Link, *wire.WorkerJoined, error) {
	host, ok := f.o.Kinds[wire.KindRemote].(runner.Host)
	if !ok {
		return nil, nil, wire.Errorf(wire.CodeUnavailable, "this server has no agents that dial in")
	}
	if len(j.Key) < wire.MinWorkerKey || len(j.Key) > wire.MaxWorkerKey {
		return nil, nil, noun.Bad("key", "a key has %d to %d bytes, which nobody else knows", wire.MinWorkerKey, wire.MaxWorkerKey)
	}
	begins := j.Agent == ""
	if begins {
		rec, err := f.joins(ctx, by, j)
		if err != nil {
			return nil, nil, err
		}
		j.Agent = rec.ID
	}
	a, err := f.agent(j.Agent)
	if err != nil {
		return nil, nil, err
	}
	a.process() // an earlier request of the program may still be starting it
	link, taken, err := host.Attach(ctx, j.Agent, j.Key, j.Received, to)
	switch rec := a.record(); {
	case err == nil:
	case rec.Desired == wire.DesiredStop && rec.StoppedBy != wire.ByServer:
		return nil, nil, wire.Errorf(wire.CodePrecondition, "agent %s was stopped", rec.ID).WithField("agent")
	case begins && wire.AsError(err).Code == wire.CodeNotFound:
		return nil, nil, wire.Errorf(wire.CodeUnavailable, "agent %s ended before its program had joined: it may join again", rec.ID).WithField("agent")
	default:
		return nil, nil, err
	}
	return link, &wire.WorkerJoined{Agent: a.id, Name: a.record().Name, Received: taken, LeaseMS: leaseOf(f.o.Types[a.typ]).Milliseconds()}, nil
}

// joins makes an agent of a program. A program that joins again with the same key, because it got no answer, is the same agent.
func (f *Fleet) joins(ctx context.Context, by noun.Caller, j wire.WorkerJoin) (rec wire.Agent, err error) {
	if j.Type == "" {
		j.Type = wire.DefaultWorkerType
	}
	if t, ok := f.o.Types[j.Type]; ok && t.Kind != wire.KindRemote {
		return rec, wire.Errorf(wire.CodePrecondition, "type %q is of kind %s: a program that dials in needs a type of kind remote", j.Type, t.Kind).WithField("type")
	}
	switch {
	case j.Concurrency < 0 || j.Concurrency > wire.MaxConcurrency:
		return rec, noun.Bad("concurrency", "must be between 0 and %d", wire.MaxConcurrency)
	case len(j.Capabilities) > maxCapabilities:
		return rec, noun.Bad("capabilities", "more than %d capabilities", maxCapabilities)
	}
	for _, c := range j.Capabilities {
		if len(c) > noun.MaxName || c == "" || strings.ContainsFunc(c, unicode.IsSpace) {
			return rec, noun.Bad("capabilities", "a capability is a word of 1 to %d bytes: %.40q", noun.MaxName, c)
		}
	}
	if err := wire.CheckNames("capabilities", j.Capabilities...); err != nil {
		return rec, err
	}
	j.Capabilities = slices.Compact(slices.Sorted(slices.Values(j.Capabilities)))
	by.Request = request(j.Key)
	f.joining.Lock()
	if res := f.spawned(by, 1); res != nil && len(res.Agents) == 1 && res.Agents[0].Status.Alive() {
		f.joining.Unlock()
		return res.Agents[0], nil
	}
	b, err := f.admit(by, wire.SpawnParams{Type: j.Type, Name: j.Name, Labels: j.Labels}, origin{join: j})
	f.joining.Unlock()
	if err != nil {
		return rec, err
	}
	res, err := f.startAll(context.WithoutCancel(ctx), b)
	if err != nil {
		return rec, err
	}
	return res.Agents[0], nil
}

// request is the idempotency key of the request that made an agent of a program. It tells nobody the key of the program.
func request(key string) string {
	sum := sha256.Sum256([]byte("join " + key))
	return "join-" + hex.EncodeToString(sum[:16])
}
